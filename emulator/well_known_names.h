// Cluster names inside the platform (decisions.md, "Well-known names"): which room a URL means.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "emulator/eventing/eventing.h"
#include "emulator/gateway/gateway.h"
#include "platform/http/client.h"

namespace hearth::emulator {

// How events leave: functions and Services through the gateway, in process; all else over HTTP.
// `gateway` is looked up at each call, because the broker is built before the gateway.
eventing::Dispatch make_dispatch(std::function<gateway::Gateway*()> gateway, http::Client& client);

}  // namespace hearth::emulator
