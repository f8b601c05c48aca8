// When a request to the API may be sent again, and after how long. Pure.
//
// Where nobody knows whether a request was done, only what may be done twice is repeated: reads,
// and writes that name the version they replace. A create is not: who wanted it looks again.
#pragma once

#include <chrono>
#include <optional>

#include "kube-adapter/status_error.h"

namespace hearth::kube_adapter {

enum class Repeat { kAllowed, kForbidden };

// `attempt` counts from 0. nullopt: give up. `jitter` in [0, 1) spreads the waits of many clients.
std::optional<std::chrono::milliseconds> retry_delay(const Failure& failure, Repeat repeat,
                                                     int attempt, double jitter);

}  // namespace hearth::kube_adapter
