// Waiting until objects are what a command wants them to be, by watches of the API: what changes is
// seen when it changes.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "cli/api_client.h"
#include "cli/kinds.h"

namespace hearth::cli {

struct Awaited {
  Kind kind;
  std::string ns;
  std::string name;

  std::string text() const { return kind.singular + "/" + name; }
};

// Calls `is_done` with the object as it is now and after each change (null: it is not there) until
// it says true or fails. kDeadlineExceeded, without words, after the timeout.
Status watch_object(ApiClient& api, const Awaited& awaited, std::chrono::nanoseconds timeout,
                    const std::function<Result<bool>(const Json*)>& is_done);

// Kinds whose Ready condition (or phase) says that they work.
bool becomes_ready(const Kind& kind);

// Until Ready; what it is on the way goes to standard error. kInternal with the condition's message
// when it failed, kDeadlineExceeded after the timeout.
Status wait_ready(ApiClient& api, const Awaited& awaited, std::chrono::nanoseconds timeout);
// All at once, each with the whole timeout. The outcomes, in order.
std::vector<Status> wait_all_ready(const Daemon& daemon, const std::vector<Awaited>& awaited,
                                   std::chrono::nanoseconds timeout);
// Until the object is gone.
Status wait_gone(ApiClient& api, const Awaited& awaited, std::chrono::nanoseconds timeout);

}  // namespace hearth::cli
