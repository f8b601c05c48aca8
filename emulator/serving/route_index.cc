#include "emulator/serving/route_index.h"

namespace hearth::serving {

void RouteIndex::set(const resource::ObjectKey& route, const std::set<std::string>& revisions) {
  if (const auto known = revisions_.find(route); known != revisions_.end()) {
    if (known->second == revisions) return;
    for (const std::string& name : known->second) {
      const auto it = routes_.find({route.ns, name});
      it->second.erase(route);
      if (it->second.empty()) routes_.erase(it);
    }
    revisions_.erase(known);
  }
  if (revisions.empty()) return;
  revisions_[route] = revisions;
  for (const std::string& name : revisions) routes_[{route.ns, name}].insert(route);
}

std::set<resource::ObjectKey> RouteIndex::routes_of(const resource::ObjectKey& revision) const {
  const auto it = routes_.find(revision);
  return it == routes_.end() ? std::set<resource::ObjectKey>() : it->second;
}

}  // namespace hearth::serving
