#include "platform/base/beginning.h"

namespace hearth::base {

std::string beginning_of(std::string_view text, std::size_t bytes_max, std::string_view mark) {
  if (text.size() <= bytes_max) return std::string(text);
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)).append(mark);
}

}  // namespace hearth::base
