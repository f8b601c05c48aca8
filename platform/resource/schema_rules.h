// What an API server checks of the schema of a CustomResourceDefinition before it takes it: the
// types of its keywords, and that it is structural. Keywords that it doesn't know pass. Pure.
// Rules: apiextensions-apiserver, pkg/apis/apiextensions/validation and pkg/apiserver/schema.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"

namespace hearth::resource {

// `path`: of the schema, what the fields of the errors begin with.
std::vector<FieldError> check_schema(const Json& schema, const std::string& path);

// Errors in an API server's words.
// `value` is not of the type that its field has.
FieldError wrong_type(const std::string& path, std::string_view wanted, const Json& value);
FieldError invalid_value(std::string path, const Json& value, std::string_view why);
FieldError required_value(std::string path, std::string_view why = {});

}  // namespace hearth::resource
