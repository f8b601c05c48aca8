// What an API server checks of a CustomResourceDefinition before it takes it, beside what
// definition_from_crd needs. Pure.
// Rules: apiextensions-apiserver, pkg/apis/apiextensions/validation.
#pragma once

#include "platform/base/json.h"

namespace hearth::resource {

// kInvalid names every field. Stored definitions may be older than these rules: only for new ones.
Status check_definition(const Json& crd);

}  // namespace hearth::resource
