// Structural schemas (the OpenAPI v3 subset of CustomResourceDefinitions): defaults, pruning of
// unknown fields, validation with the field path and Kubernetes' cause reasons.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"

namespace hearth::resource {

// Fills defaults where a parent object is present. kTooLarge, and a part of the defaults, when they
// are more than an object may hold.
[[nodiscard]] Status apply_defaults(const Json& schema, Json& value);

// Removes fields that the schema does not name and returns the paths of the first hundred
// ("spec.foo", "spec.a[0].b"). apiVersion, kind and metadata of the top level are always kept.
std::vector<std::string> prune_unknown(const Json& schema, Json& value);

// Types, required, enum, bounds, lengths, patterns, items, additionalProperties, allOf/anyOf/oneOf/
// not, nullable, int-or-string. A keyword of the wrong type, or with an empty list, says nothing.
// At most fifty errors; a single one when the check would take too long.
std::vector<FieldError> validate(const Json& schema, const Json& value);

// "lambdafunctions.lambda.knative.io \"x\" is invalid: …" with all fields.
Error invalid_object(std::string_view kind, std::string_view name, std::vector<FieldError> fields);

}  // namespace hearth::resource
