// What an address to listen at means for those who call: "all networks" is no address to call.
#pragma once

#include <string>
#include <vector>

#include "platform/http/trusted_hosts.h"

namespace hearth::emulator {

// The host in URLs of this machine's user: "127.0.0.1" for "0.0.0.0", "[::1]" for "::" and "::1".
std::string url_host(const std::string& address);

// Names and addresses by which others may call; for the server's certificate. Those of all network
// interfaces and the machine's name where it listens at all of them.
std::vector<std::string> callable_names(const std::string& address);

// Whose Host is answered: this machine's, functions', those that Services have in a cluster, and
// `added`.
http::TrustedHosts trusted_hosts(const std::string& domain, std::vector<std::string> added);

}  // namespace hearth::emulator
