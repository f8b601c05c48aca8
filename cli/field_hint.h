// "did you mean spec.source?" for a field that a kind does not have.
#pragma once

#include <string>

#include "cli/kinds.h"

namespace hearth::cli {

// The field's nearest sibling in the kind's schema, as a whole path; "" when there is none.
std::string nearest_field(ApiClient& api, const Kind& kind, const std::string& path);
// The same with the kind's CustomResourceDefinition at hand.
std::string nearest_field_of(const Json& definition, const std::string& version,
                             const std::string& path);

}  // namespace hearth::cli
