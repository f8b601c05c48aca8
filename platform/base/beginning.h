// The beginning of a text that is too long to be shown whole, in errors and statuses.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hearth::base {

// `text`, or its first `bytes_max` bytes at most, without half a UTF-8 character, and `mark`.
std::string beginning_of(std::string_view text, std::size_t bytes_max, std::string_view mark = "…");

}  // namespace hearth::base
