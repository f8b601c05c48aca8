// For tests that show that no place of an object may hold what breaks its reader.
#pragma once

#include <functional>

#include "platform/base/json.h"

namespace hearth::resource {

// Calls `look` once for every place in `at`, while `junk` stands there.
inline void replace_each(Json& at, const Json& junk, const std::function<void()>& look) {
  const Json kept = at;
  at = junk;
  look();
  at = kept;
  if (!at.is_structured()) return;
  for (Json& child : at) replace_each(child, junk, look);
}

}  // namespace hearth::resource
