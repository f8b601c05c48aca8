#include "emulator/eventing/referrers.h"

namespace hearth::eventing {

using resource::ObjectKey;

void Referrers::put(const ObjectKey& who, std::vector<ObjectKey> named) {
  erase(who);
  if (named.empty()) return;
  for (const ObjectKey& what : named) pairs_.emplace(what, who);
  named_by_.emplace(who, std::move(named));
}

void Referrers::erase(const ObjectKey& who) {
  const auto known = named_by_.find(who);
  if (known == named_by_.end()) return;
  for (const ObjectKey& what : known->second) pairs_.erase({what, who});
  named_by_.erase(known);
}

std::vector<ObjectKey> Referrers::of(const ObjectKey& named) const {
  std::vector<ObjectKey> out;
  for (auto it = pairs_.lower_bound({named, {}}); it != pairs_.end() && it->first == named; ++it) {
    out.push_back(it->second);
  }
  return out;
}

}  // namespace hearth::eventing
