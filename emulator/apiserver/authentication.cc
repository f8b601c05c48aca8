#include "emulator/apiserver/authentication.h"

#include <fmt/format.h>

#include "platform/base/hash.h"
#include "platform/base/text.h"
#include "platform/http/stream.h"

namespace hearth::apiserver {
namespace {

// The common name of a subject as OpenSSL writes it: "CN=…, O=…" or "/CN=…/O=…".
std::string common_name(std::string_view subject) {
  const auto at = subject.find("CN=");
  if (at == subject.npos) return "kubernetes-admin";
  subject.remove_prefix(at + 3);
  return std::string(subject.substr(0, subject.find_first_of(",/+")));
}

User administrator(std::string name) {
  return {std::move(name), {"system:masters", "system:authenticated"}};
}

}  // namespace

Result<User> user_of_token(std::string_view token, const std::string& administrator_token) {
  if (base::equal_constant_time(token, administrator_token)) {
    return administrator("kubernetes-admin");
  }
  return fail(Code::kUnauthorized, "Unauthorized");
}

Result<User> authenticate(http::Exchange& exchange, const std::string& administrator_token) {
  const http::RequestHead& request = exchange.request();
  const std::string_view header = request.headers.get_or("authorization", "");
  if (header.starts_with("Bearer ")) return user_of_token(header.substr(7), administrator_token);
  // TLS has verified the chain to our own authority.
  const std::string subject(exchange.stream().tls_peer_subject());
  if (subject.contains("O=system:masters")) return administrator(common_name(subject));
  if (request.headers.contains("authorization")) return fail(Code::kUnauthorized, "Unauthorized");
  return fail(Code::kForbidden,
              fmt::format("forbidden: User \"system:anonymous\" cannot {} path \"{}\"",
                          base::lower(request.method), request.path()));
}

}  // namespace hearth::apiserver
