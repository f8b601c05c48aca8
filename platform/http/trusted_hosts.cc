#include "platform/http/trusted_hosts.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/text.h"
#include "platform/http/exchange.h"

namespace hearth::http {
namespace {

bool is_below(std::string_view name, std::string_view domain) {
  if (name.size() <= domain.size()) return false;
  const std::size_t at = name.size() - domain.size();
  return name[at - 1] == '.' && base::equal_ignoring_case(name.substr(at), domain);
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// What no public name server answers for: an IPv6 address, a name of one label, and what ends in a
// number: an IPv4 address, and nothing else for browsers (URL Standard, "ends in a number").
bool is_beyond_dns(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == name.npos || name.starts_with('[') || is_number(name.substr(dot + 1));
}

}  // namespace

TrustedHosts::Kind TrustedHosts::kind_of(std::string_view host) const {
  const std::string_view name = host_name(host);
  if (is_beyond_dns(name)) return Kind::kMachine;
  for (const std::string& known : options_.names) {
    if (base::equal_ignoring_case(name, known)) return Kind::kMachine;
    if (is_below(name, known)) return Kind::kBelow;
  }
  for (const std::string& domain : options_.domains) {
    if (is_below(name, domain)) return Kind::kBelow;
  }
  return Kind::kForeign;
}

Task<void> TrustedHosts::refuse(Exchange& exchange) const {
  const std::string text = fmt::format(
      "host \"{}\" is not answered: a web page could let a name of its own lead here (DNS "
      "rebinding). Call an address or a name at or below localhost, or allow this name: {}\n",
      host_name(exchange.request().headers.get_or("host", "")), options_.setting);
  ResponseHead head{.status = 421, .headers = {}};
  head.headers.add("Content-Type", "text/plain; charset=utf-8");
  head.headers.add("X-Content-Type-Options", "nosniff");
  (void)co_await exchange.respond(head, text);
}

}  // namespace hearth::http
