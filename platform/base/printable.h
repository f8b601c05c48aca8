// Text of others, such as functions and clients, for a terminal: it must not give orders there
// (escape sequences), nor look like other text than it is (what overwrites or reorders lines).
//
// Control characters are shown as "^[" and "\x9b" (C0 and DEL, C1), bytes that are no UTF-8 as
// "\xff", overrides and isolates of the writing direction (Unicode UAX 9) as "\u202e". Tabs stay.
#pragma once

#include <string>
#include <string_view>

namespace hearth::base {

// One line: a line feed in it is shown as "^J".
std::string printable(std::string_view text);
// Line feeds stay.
std::string printable_lines(std::string_view text);

}  // namespace hearth::base
