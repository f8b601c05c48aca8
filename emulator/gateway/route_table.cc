#include "emulator/gateway/route_table.h"

#include <algorithm>

#include "platform/base/text.h"

namespace hearth::gateway {

Revision::Revision(RevisionSettings settings)
    : settings_(std::move(settings)),
      key_(settings_.ns + "/" + settings_.name),
      instances_(std::make_shared<const Instances>()) {}

void Revision::set_instances(Instances instances) {
  instances_.store(std::make_shared<const Instances>(std::move(instances)));
}

void Revision::retire() {
  retired_ = true;
  set_instances({});
}

RevisionPtr Route::pick(std::int64_t dice) const {
  std::int64_t reached = 0;
  for (const RouteTarget& target : targets) {
    reached += target.percent;
    if (dice < reached) return target.revision;
  }
  return targets.empty() ? nullptr : targets.front().revision;
}

std::vector<std::string> RouteTable::near_misses(std::string_view ns, std::string_view name) const {
  constexpr std::size_t kMost = 3;
  std::vector<std::string> names;
  for (const auto& [key, route] : by_name) {
    const auto slash = key.find('/');
    if (std::string_view(key).substr(0, slash) == ns) names.push_back(key.substr(slash + 1));
  }
  std::ranges::sort(names);
  std::vector<std::string> out;
  while (out.size() < kMost) {
    const auto near = base::nearest(name, names);
    if (!near) break;
    std::erase(names, *near);
    out.push_back(*near);
  }
  return out;
}

}  // namespace hearth::gateway
