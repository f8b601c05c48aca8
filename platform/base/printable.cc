#include "platform/base/printable.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::base {
namespace {

// Of the UTF-8 sequence at the beginning; 0 when there is none.
std::size_t sequence_length(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  return length <= text.size() && is_valid_utf8(text.substr(0, length)) ? length : 0;
}

// U+0080 to U+009F.
bool is_c1_control(std::string_view sequence) {
  return sequence.size() == 2 && sequence[0] == '\xC2' &&
         static_cast<unsigned char>(sequence[1]) < 0xA0;
}

// U+202A to U+202E and U+2066 to U+2069, or 0.
unsigned direction_of(std::string_view sequence) {
  if (sequence.size() != 3 || !sequence.starts_with("\xE2")) return 0;
  const auto second = static_cast<unsigned char>(sequence[1]);
  const auto third = static_cast<unsigned char>(sequence[2]);
  const unsigned code = 0x2000U | (second & 0x3FU) << 6U | (third & 0x3FU);
  const bool is_override = code >= 0x202A && code <= 0x202E;
  return is_override || (code >= 0x2066 && code <= 0x2069) ? code : 0;
}

void append_ascii(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '\t' || (byte >= 0x20 && byte < 0x7F))
    out.push_back(c);
  else
    out += {'^', static_cast<char>(byte ^ 0x40U)};
}

void append_sequence(std::string& out, std::string_view sequence) {
  if (sequence.size() == 1)
    append_ascii(out, sequence.front());
  else if (is_c1_control(sequence))
    out += fmt::format("\\x{:02x}", static_cast<unsigned char>(sequence[1]));
  else if (const unsigned direction = direction_of(sequence); direction != 0)
    out += fmt::format("\\u{:04x}", direction);
  else
    out += sequence;
}

}  // namespace

std::string printable(std::string_view text) {
  if (is_printable_ascii(text)) return std::string(text);
  std::string out;
  out.reserve(text.size() + 16);
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0)
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    else
      append_sequence(out, text.substr(0, length));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

std::string printable_lines(std::string_view text) {
  std::string out;
  for (auto end = text.find('\n'); end != text.npos; end = text.find('\n')) {
    out += printable(text.substr(0, end)) + "\n";
    text.remove_prefix(end + 1);
  }
  return out + printable(text);
}

}  // namespace hearth::base
