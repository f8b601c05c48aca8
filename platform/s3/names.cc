#include "platform/s3/names.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/text.h"
#include "platform/s3/error_code.h"

namespace hearth::s3 {
namespace {

bool looks_like_ipv4(std::string_view name) {
  const auto parts = base::split(name, '.');
  return parts.size() == 4 && std::ranges::all_of(parts, [](std::string_view part) {
           return base::parse_int<unsigned>(part).has_value();
         });
}

bool has_reserved_affix(std::string_view name) {
  for (const std::string_view prefix : {"xn--", "sthree-", "amzn-s3-demo-"}) {
    if (name.starts_with(prefix)) return true;
  }
  for (const std::string_view suffix : {"-s3alias", "--ol-s3", ".mrap", "--x-s3"}) {
    if (name.ends_with(suffix)) return true;
  }
  return false;
}

}  // namespace

Status check_bucket_name(std::string_view name) {
  const bool labels_fit = std::ranges::all_of(base::split(name, '.'), base::is_dns_label);
  if (name.size() < 3 || name.size() > 63 || !labels_fit || looks_like_ipv4(name) ||
      has_reserved_affix(name)) {
    return s3_fail("InvalidBucketName", "The specified bucket is not valid.",
                   {{"BucketName", name}});
  }
  return {};
}

Status check_key(std::string_view key) {
  if (key.size() > kKeyBytesMax) {
    return s3_fail("KeyTooLongError", "Your key is too long",
                   {{"Size", fmt::format_int(key.size()).c_str()},
                    {"MaxSizeAllowed", fmt::format_int(kKeyBytesMax).c_str()}});
  }
  if (key.empty() || key.contains('\0') || !base::is_valid_utf8(key)) {
    return s3_fail("InvalidURI", "Couldn't parse the specified URI.");
  }
  return {};
}

}  // namespace hearth::s3
