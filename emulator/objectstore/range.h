// The Range header against an object's size.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "platform/base/result.h"

namespace hearth::objectstore {

struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;  // inclusive

  std::uint64_t length() const { return last - first + 1; }
  bool operator==(const ByteRange&) const = default;
};

// nullopt: the whole object (no range, a malformed one, or several: S3 ignores those). InvalidRange
// when it starts at or beyond the end.
Result<std::optional<ByteRange>> parse_range(std::string_view header, std::uint64_t size);

// x-amz-copy-source-range, which must be "bytes=a-b" within the source.
Result<ByteRange> parse_copy_range(std::string_view header, std::uint64_t size);

}  // namespace hearth::objectstore
