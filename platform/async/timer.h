// Waiting for time to pass, on the loop of the awaiting task.
#pragma once

#include <chrono>

#include "platform/async/task.h"

namespace hearth::async {

// False when the wait was cancelled (its task group ends).
Task<bool> sleep_for(std::chrono::nanoseconds duration);

}  // namespace hearth::async
