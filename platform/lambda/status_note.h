// The Kubernetes Events of a function: what people are told of a status that was written. Pure.
#pragma once

#include <vector>

#include "platform/base/json.h"
#include "platform/resource/event_recorder.h"

namespace hearth::lambda {

// One when the phase or what it stands on changed, one when a build ended well, one when the
// reconcile ended a rollback, and once a generation those of fields that nobody reads. Without
// their component.
std::vector<resource::EventNote> status_notes(const Json& before, const Json& after);

}  // namespace hearth::lambda
