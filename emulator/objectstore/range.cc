#include "emulator/objectstore/range.h"

#include <algorithm>

#include <fmt/format.h>

#include "emulator/objectstore/errors.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"

namespace hearth::objectstore {
namespace {

std::unexpected<Error> unsatisfiable(std::string_view header, std::uint64_t size) {
  return s3::s3_fail(
      "InvalidRange", "The requested range is not satisfiable",
      {{"RangeRequested", header}, {"ActualObjectSize", fmt::format_int(size).c_str()}});
}

}  // namespace

Result<std::optional<ByteRange>> parse_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit) || header.contains(',')) return std::nullopt;
  const std::string_view spec = base::trim(header.substr(kUnit.size()));
  const auto dash = spec.find('-');
  if (dash == spec.npos) return std::nullopt;
  const std::string_view first_text = spec.substr(0, dash);
  const std::string_view last_text = spec.substr(dash + 1);
  const auto first = base::parse_int<std::uint64_t>(first_text);
  const auto last = base::parse_int<std::uint64_t>(last_text);
  if (first_text.empty()) {
    if (!last) return std::nullopt;
    if (*last == 0 || size == 0) return unsatisfiable(header, size);
    return ByteRange{size - std::min(*last, size), size - 1};
  }
  if (!first || (!last_text.empty() && !last) || (last && *last < *first)) return std::nullopt;
  if (*first >= size) return unsatisfiable(header, size);
  return ByteRange{*first, std::min(last.value_or(size - 1), size - 1)};
}

Result<ByteRange> parse_copy_range(std::string_view header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  const auto malformed = [&] {
    return fail(
        invalid_argument("The x-amz-copy-source-range value must be of the form "
                         "bytes=first-last where first and last are the zero-based offsets "
                         "of the first and last bytes to copy",
                         "x-amz-copy-source-range", header));
  };
  if (!header.starts_with(kUnit)) return malformed();
  const auto parts = base::split(header.substr(kUnit.size()), '-');
  if (parts.size() != 2) return malformed();
  const auto first = base::parse_int<std::uint64_t>(parts[0]);
  const auto last = base::parse_int<std::uint64_t>(parts[1]);
  if (!first || !last || *last < *first) return malformed();
  if (*last >= size) {
    return fail(invalid_argument(
        fmt::format("Range specified is not valid for source object of size: {}", size),
        "x-amz-copy-source-range", header));
  }
  return ByteRange{*first, *last};
}

}  // namespace hearth::objectstore
