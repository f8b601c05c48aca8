// Internet addresses as text.
#pragma once

#include <string>

namespace hearth::base {

bool is_ipv4_address(const std::string& text);  // "127.0.0.1"
bool is_ipv6_address(const std::string& text);  // "::1", without brackets and zone
bool is_ip_address(const std::string& text);

}  // namespace hearth::base
