#include "emulator/serving/route_index.h"

namespace hearth::serving {

void RouteIndex::set(const resource::ObjectKey& route, const std::set<std::string>& names) {
  if (const auto known = names_.find(route); known != names_.end()) {
    if (known->second == names) return;
    for (const std::string& name : known->second) {
      const auto it = routes_.find({route.ns, name});
      it->second.erase(route);
      if (it->second.empty()) routes_.erase(it);
    }
    names_.erase(known);
  }
  if (names.empty()) return;
  names_[route] = names;
  for (const std::string& name : names) routes_[{route.ns, name}].insert(route);
}

std::set<resource::ObjectKey> RouteIndex::routes_of(const resource::ObjectKey& object) const {
  const auto it = routes_.find(object);
  return it == routes_.end() ? std::set<resource::ObjectKey>() : it->second;
}

}  // namespace hearth::serving
