#include "platform/resource/formats.h"

#include <string>

#include "platform/base/bytes.h"
#include "platform/base/clock.h"
#include "platform/base/ip_address.h"

namespace hearth::resource {
namespace {

bool is_date(std::string_view text) {
  constexpr std::size_t kLength = 10;  // 2006-01-02
  return text.size() == kLength && base::parse_rfc3339(std::string(text) + "T00:00:00Z");
}

// 8-4-4-4-12 hexadecimal digits; the dashes may be absent.
bool is_uuid(std::string_view text) {
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = text.size() == 36 && (i == 8 || i == 13 || i == 18 || i == 23);
    if (!dash)
      digits += text[i];
    else if (text[i] != '-')
      return false;
  }
  return digits.size() == 32 && base::from_hex(digits).has_value();
}

}  // namespace

bool format_fits(std::string_view format, std::string_view text) {
  if (format == "date-time") return base::parse_rfc3339(text).has_value();
  if (format == "date") return is_date(text);
  if (format == "byte") return base::from_base64(text).has_value();
  if (format == "ipv4") return base::is_ipv4_address(std::string(text));
  if (format == "ipv6") return base::is_ipv6_address(std::string(text));
  if (format == "uuid") return is_uuid(text);
  return true;
}

}  // namespace hearth::resource
