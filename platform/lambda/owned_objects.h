// What the objects that a function became say of themselves. Pure.
#pragma once

#include <string>

#include "platform/base/clock.h"
#include "platform/base/json.h"
#include "platform/resource/condition.h"

namespace hearth::lambda {

bool is_owned_by(const Json& object, const Json& function);

// What a Job's conditions say: without a type while it runs.
resource::Condition job_outcome(const Json& job);

// A Service's Ready, Unknown while that speaks of an older generation.
resource::Condition service_outcome(const Json& service);
std::string served_image(const Json& service);
// The revision that the Route sends requests to; empty when there is none yet.
std::string routed_revision(const Json& service);
// spec.traffic that sends all to a revision; empty: to the latest.
Json traffic_to(const std::string& revision);
// Into `function`'s status.serviceStatus; what the Service doesn't know yet stays.
void write_service_status(Json& function, const Json& service);
// The conditions and the phase that its state makes.
void write_service_outcome(Json& function, const Json& service, base::WallTime now);

// True when somebody changed a Trigger after it was made; a new status alone is no such change.
bool is_edited(const Json& trigger);

}  // namespace hearth::lambda
