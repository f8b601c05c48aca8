// What Knative Serving makes of a user's objects: the Configuration and the Route of a Service, the
// Revision of a Configuration, with the labels by which clients find them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/base/json.h"

namespace hearth::serving {

// "service" → "serving.knative.dev/service".
std::string label(std::string_view name);

// "hello-00001": the configuration's name and its generation.
std::string revision_name(const std::string& configuration, std::int64_t generation);

Json configuration_of(const Json& service);
Json route_of(const Json& service);
Json revision_of(const Json& configuration, const std::string& name);

}  // namespace hearth::serving
