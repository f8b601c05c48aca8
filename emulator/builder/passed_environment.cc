#include "emulator/builder/passed_environment.h"

#include <algorithm>
#include <array>

#include <unistd.h>

#include "platform/base/text.h"

namespace hearth::builder {
namespace {

constexpr std::array<std::string_view, 8> kNames = {"GOPROXY",   "GOSUMDB",    "GOFLAGS",
                                                    "GONOSUMDB", "GONOPROXY",  "GOINSECURE",
                                                    "GOPRIVATE", "GOTOOLCHAIN"};
constexpr std::array<std::string_view, 4> kProxies = {"http_proxy", "https_proxy", "all_proxy",
                                                      "no_proxy"};
// npm's _auth, _authToken and _password; what people call theirs.
constexpr std::array<std::string_view, 5> kTellingWords = {"_auth", "password", "passwd", "token",
                                                           "secret"};

bool is_proxy(std::string_view name) {
  return std::ranges::find(kProxies, base::lower(name)) != kProxies.end();
}

bool names_certificates(std::string_view name) {
  return std::ranges::find(kCertificateVariables, name) != kCertificateVariables.end();
}

// A proxy may stand without a scheme: user:password@proxy:3128.
bool is_secret(std::string_view name, std::string_view value) {
  if (names_certificates(name)) return false;
  return holds_credentials(name) || holds_credentials(value) ||
         (is_proxy(name) && value.contains('@'));
}

bool is_passed(std::string_view name) {
  if (name.starts_with("PIP_")) return name != "PIP_TARGET" && name != "PIP_USER";
  return base::lower(name).starts_with("npm_config_") || is_proxy(name) ||
         names_certificates(name) || std::ranges::find(kNames, name) != kNames.end();
}

// RFC 3986 §3.2: what stands before an '@' in the authority.
bool has_user_in_address(std::string_view text) {
  constexpr std::string_view kScheme = "://";
  for (auto at = text.find(kScheme); at != std::string_view::npos; at = text.find(kScheme, at)) {
    at += kScheme.size();
    const std::string_view rest = text.substr(at);
    if (rest.substr(0, rest.find_first_of("/?# \t\r\n\"'")).contains('@')) return true;
  }
  return false;
}

}  // namespace

bool holds_credentials(std::string_view text) {
  const std::string lower = base::lower(text);
  return has_user_in_address(text) ||
         std::ranges::any_of(kTellingWords,
                             [&](std::string_view word) { return lower.contains(word); });
}

PassedEnvironment passed_environment(HostCredentials credentials) {
  PassedEnvironment out;
  for (char** item = environ; *item != nullptr; ++item) {
    const std::string_view text(*item);
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || !is_passed(text.substr(0, equals))) continue;
    const std::string name(text.substr(0, equals));
    const std::string value(text.substr(equals + 1));
    if (is_secret(name, value) && credentials == HostCredentials::kWithhold) {
      out.withheld.push_back(name);
    } else {
      out.variables.emplace(name, value);
    }
  }
  return out;
}

}  // namespace hearth::builder
