// The rules for bucket names and object keys.
#pragma once

#include <cstddef>
#include <string_view>

#include "platform/base/result.h"

namespace hearth::s3 {

inline constexpr std::size_t kKeyBytesMax = 1024;

// 3 to 63 of [a-z0-9.-], labels that begin and end alphanumerically, no IPv4 address, none of the
// reserved affixes ("xn--", "-s3alias", …). InvalidBucketName otherwise.
Status check_bucket_name(std::string_view name);

// Any UTF-8 text of 1 to 1024 bytes: "a//b", "." and ".." are keys like others. KeyTooLongError or
// InvalidURI otherwise. NUL is refused: no client tool can name it.
Status check_key(std::string_view key);

}  // namespace hearth::s3
