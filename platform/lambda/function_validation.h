// Rules for a LambdaFunction that its schema can't say: presence of the source's part, injection,
// traversal, scaling relations, quantities. Pure: may run on any thread.
#pragma once

#include <vector>

#include "platform/base/json.h"

namespace hearth::lambda {

// Empty when the function is fine. A message begins with the reference's error code
// ("KEY_PATH_TRAVERSAL: …") where it has one.
std::vector<FieldError> validate_function(const Json& object);

// For DefinitionRegistry::set_admission: kInvalid with all fields.
Status admit_function(Json& object, const Json* old);

}  // namespace hearth::lambda
