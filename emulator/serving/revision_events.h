// Kubernetes Events of a revision: what happened to its instances that no condition keeps. One
// object a revision and reason, counted up, so that their number is bounded. On the control loop.
#pragma once

#include <string>

#include "emulator/serving/revision_spec.h"
#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/resource/store.h"

namespace hearth::serving {

// A Warning. Errors of the store are dropped: an event is for reading only.
Task<void> record_warning(resource::Store& store, RevisionSpec spec, std::string reason,
                          std::string message, base::WallTime now);

}  // namespace hearth::serving
