#include "platform/base/ip_address.h"

#include <arpa/inet.h>

namespace hearth::base {
namespace {

bool is_address(int family, const std::string& text) {
  if (text.contains('\0')) return false;  // it would be read up to there
  in6_addr out{};
  return ::inet_pton(family, text.c_str(), &out) == 1;
}

}  // namespace

bool is_ipv4_address(const std::string& text) { return is_address(AF_INET, text); }
bool is_ipv6_address(const std::string& text) { return is_address(AF_INET6, text); }
bool is_ip_address(const std::string& text) {
  return is_ipv4_address(text) || is_ipv6_address(text);
}

}  // namespace hearth::base
