// The lifecycle CloudEvents of a function, for whoever sends them.
#pragma once

#include <string>

#include "platform/base/clock.h"
#include "platform/base/json.h"
#include "platform/event/cloud_event.h"

namespace hearth::lambda {

// `type` without its prefix "io.knative.lambda.".
event::CloudEvent lifecycle_event(const Json& function, const std::string& type, const Json& data,
                                  base::WallTime now);

}  // namespace hearth::lambda
