// Errors as Kubernetes Status objects: the one table from Code to HTTP code and reason.
#pragma once

#include <string_view>

#include "platform/base/json.h"
#include "platform/resource/definition.h"

namespace hearth::apiserver {

int http_status(const Error& error);

// `definition` and `name` (may be null, empty) fill the details.
Json status_object(const Error& error, const resource::Definition* definition,
                   std::string_view name);

// What a successful delete answers.
Json success_status(const resource::Definition& definition, const Json& object);

}  // namespace hearth::apiserver
