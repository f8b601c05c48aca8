// What of the daemon's own environment and of the package managers' settings a build step gets:
// where packages come from. Credentials among it only when the daemon was told so, because a step
// runs the code of whoever wrote the Dockerfile and of every package that it installs.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::builder {

enum class HostCredentials { kWithhold, kPass };

// A user in an address ("https://token@host"), or a word like _authToken or password. Rather too
// often than too seldom: it decides what strangers see.
bool holds_credentials(std::string_view text);

// Variables that name authorities' certificates: their values are paths and hold no credentials.
inline constexpr auto kCertificateVariables = std::to_array<std::string_view>(
    {"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
     "PIP_CERT", "npm_config_cafile"});

struct PassedEnvironment {
  std::map<std::string, std::string> variables;
  std::vector<std::string> withheld;  // names
};

// The daemon's variables that package managers need: proxies, registries, certificates.
PassedEnvironment passed_environment(HostCredentials credentials);

}  // namespace hearth::builder
