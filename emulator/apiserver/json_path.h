// The JSONPath subset of printer columns: .a.b, ['a.b'], [0], [*], [?(@.type=="Ready")].
#pragma once

#include <string_view>

#include "platform/base/json.h"

namespace hearth::apiserver {

// The first match; nullptr when there is none or the path is malformed.
const Json* evaluate_json_path(const Json& root, std::string_view path);

}  // namespace hearth::apiserver
