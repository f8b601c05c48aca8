// kubectl's jsonpath output: text with {expressions}. Supported: {.a.b}, ['a.b'], [0], [*], .*,
// [?(@.a=="b")], {range …}{end}, {"literal\n"}, {'literal'}. A bare ".a.b" counts as an expression.
#pragma once

#include <string>

#include "platform/base/json.h"

namespace hearth::cli {

// kBadRequest when the template is malformed. What the object lacks prints as nothing.
Result<std::string> render_json_template(const std::string& text, const Json& root);

}  // namespace hearth::cli
