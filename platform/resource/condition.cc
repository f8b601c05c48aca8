#include "platform/resource/condition.h"

#include <algorithm>

#include "platform/resource/object.h"

namespace hearth::resource {
namespace {

constexpr std::size_t kMessageMax = 32'768;  // metav1.Condition

Json& conditions(Json& object) {
  Json& list = object["status"]["conditions"];
  if (!list.is_array()) list = Json::array();
  return list;
}

std::string type_of(const Json& condition) { return base::string_at(condition, {"type"}); }

}  // namespace

bool set_condition(Json& object, const Condition& condition, base::WallTime now) {
  Json& list = conditions(object);
  Json next{{"type", condition.type},
            {"status", condition.status},
            {"lastTransitionTime", base::format_rfc3339(now)}};
  if (!condition.reason.empty()) next["reason"] = condition.reason;
  if (!condition.message.empty()) next["message"] = condition.message.substr(0, kMessageMax);
  if (const auto generation = generation_of(object); generation > 0) {
    next["observedGeneration"] = generation;
  }
  const auto known = std::ranges::find(list, condition.type, type_of);
  if (known == list.end()) {
    const auto at = std::ranges::upper_bound(list, condition.type, {}, type_of);
    list.insert(at, std::move(next));
    return true;
  }
  if (base::string_at(*known, {"status"}) == condition.status) {
    next["lastTransitionTime"] = (*known)["lastTransitionTime"];
  }
  if (*known == next) return false;
  *known = std::move(next);
  return true;
}

bool remove_condition(Json& object, std::string_view type) {
  if (base::find(object, {"status", "conditions"}) == nullptr) return false;
  Json& list = conditions(object);
  const auto known = std::ranges::find(list, type, type_of);
  if (known == list.end()) return false;
  list.erase(known);
  return true;
}

Condition condition_of(const Json& object, std::string_view type) {
  const Json* list = base::find(object, {"status", "conditions"});
  if (list == nullptr || !list->is_array()) return {};
  const auto known = std::ranges::find(*list, type, type_of);
  if (known == list->end()) return {};
  return {type_of(*known), base::string_at(*known, {"status"}), base::string_at(*known, {"reason"}),
          base::string_at(*known, {"message"})};
}

bool is_condition_true(const Json& object, std::string_view type) {
  return condition_of(object, type).status == "True";
}

}  // namespace hearth::resource
