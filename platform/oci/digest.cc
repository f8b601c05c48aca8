#include "platform/oci/digest.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/hash.h"

namespace hearth::oci {
namespace {

constexpr std::size_t kHexDigits = 64;

bool is_lower_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  if (text.starts_with(kPrefix)) {
    const std::string_view hex = text.substr(kPrefix.size());
    if (hex.size() == kHexDigits && is_lower_hex(hex)) return Digest(std::string(text));
  } else if (text.starts_with("sha512:") && text.size() == 7 + 128 &&
             is_lower_hex(text.substr(7))) {
    return fail(Code::kUnsupported, "digests are sha256 here, not sha512");
  }
  return fail(Code::kInvalid, fmt::format("\"{}\" is no digest (sha256:<64 hex digits>)", text));
}

Digest Digest::of(std::string_view bytes) { return from_raw(base::sha256(bytes)); }

Digest Digest::from_hex(std::string_view hex) {
  if (hex.size() != kHexDigits || !is_lower_hex(hex)) throw std::logic_error("not a sha256 in hex");
  return Digest(std::string(kPrefix) + std::string(hex));
}

Digest Digest::from_raw(std::string_view raw) { return from_hex(base::hex(raw)); }

}  // namespace hearth::oci
