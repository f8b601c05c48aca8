// Hex and base64.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hearth::base {

std::string hex(std::string_view bytes);  // lower case
std::optional<std::string> from_hex(std::string_view text);

std::string base64(std::string_view bytes);
// Standard alphabet; padding may be absent; white space is an error.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace hearth::base
