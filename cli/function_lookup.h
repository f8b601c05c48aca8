// The function that a command is about.
#pragma once

#include <string>

#include "cli/kinds.h"

namespace hearth::cli {

// "hello", "function/hello" and "lambdafunction.lambda.knative.io/hello" mean the same.
std::string bare_name(const std::string& name);

// kNotFound with the nearest name.
Result<Json> find_function(ApiClient& api, const std::string& ns, const std::string& name);

}  // namespace hearth::cli
