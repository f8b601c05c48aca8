// Waiting until objects are ready or gone, with progress on standard error.
#pragma once

#include <chrono>
#include <string>

#include "cli/kinds.h"

namespace hearth::cli {

// True for kinds whose objects become Ready.
bool becomes_ready(const Kind& kind);

// kDeadlineExceeded at the timeout; kInternal with the condition's message when the object failed
// for good.
Status wait_ready(ApiClient& api, const Kind& kind, const std::string& ns, const std::string& name,
                  std::chrono::nanoseconds timeout);
Status wait_gone(ApiClient& api, const Kind& kind, const std::string& ns, const std::string& name,
                 std::chrono::nanoseconds timeout);

}  // namespace hearth::cli
