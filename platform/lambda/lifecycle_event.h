// The lifecycle CloudEvents of a function: which are due after a reconcile, and their form. Pure.
#pragma once

#include <string>
#include <vector>

#include "platform/base/clock.h"
#include "platform/base/json.h"
#include "platform/event/cloud_event.h"

namespace hearth::lambda {

// One event to send: its type without the prefix "io.knative.lambda.", and its data.
struct LifecycleChange {
  std::string type;
  Json data;
};

// What is to be told of a status that was written, each transition once: created or updated, then
// what the reconcile's steps told, then ready or degraded. `before` is the object as the reconcile
// found it; name and namespace are put into all data.
std::vector<LifecycleChange> lifecycle_changes(const Json& before, const Json& after,
                                               std::vector<LifecycleChange> steps);

enum class BuildEnd { kFailed, kTimedOut, kCancelled };
LifecycleChange build_ended(BuildEnd end, const std::string& job, const std::string& message);

// The revision that all of a Service's requests are to go to; empty: the latest.
std::string pinned_revision(const Json& service);

// What a write of the function's Service made of it; `before` is null when there was none. Nothing
// when the write changed nothing.
std::vector<LifecycleChange> service_changes(const Json* before, const Json& after);

// Told when the Service begins to be ready.
LifecycleChange service_ready(const Json& service);

// `type` without its prefix "io.knative.lambda.".
event::CloudEvent lifecycle_event(const Json& function, const std::string& type, const Json& data,
                                  base::WallTime now);

}  // namespace hearth::lambda
