// The scalar rules of Go's sigs.k8s.io/yaml that kubectl uses: YAML 1.1 for what is written plain.
#pragma once

#include <string_view>

#include "platform/base/json.h"

namespace hearth::base {

// What a plain (unquoted, untagged) scalar means: null, a boolean, a number or the text itself.
Json plain_scalar(std::string_view text);

}  // namespace hearth::base
