// Status conditions (metav1.Condition).
#pragma once

#include <string>
#include <string_view>

#include "platform/base/clock.h"
#include "platform/base/json.h"

namespace hearth::resource {

struct Condition {
  std::string type;
  std::string status;  // "True", "False", "Unknown"
  std::string reason;
  std::string message;

  bool operator==(const Condition&) const = default;
};

// Sets or replaces the condition in status.conditions (kept sorted by type). lastTransitionTime
// moves only when the status changes. True when anything changed.
bool set_condition(Json& object, const Condition& condition, base::WallTime now);
// True when there was one.
bool remove_condition(Json& object, std::string_view type);
// An empty type when there is no such condition.
Condition condition_of(const Json& object, std::string_view type);
bool is_condition_true(const Json& object, std::string_view type);

}  // namespace hearth::resource
