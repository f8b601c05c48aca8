// Cluster names inside the platform: which room a URL means.
#pragma once

#include <filesystem>
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

// A loopback address of this state folder's own (127.64.0.0/10), where the well-known ports can be
// listened at without meeting other daemons: "127.77.3.9".
std::string cluster_address(const std::filesystem::path& state);

// What instances see as /etc/hosts: the cluster names of brokers, store and functions at `address`
// (none when it is empty: the machine withholds port 80).
std::string hosts_text(const std::string& address, const gateway::RouteTable& table);

}  // namespace hearth::emulator
