#include "platform/http/chunked.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/text.h"
#include "platform/http/message.h"

namespace hearth::http {
namespace {
constexpr std::size_t kSizeLineMax = 256;
constexpr std::size_t kTrailerBytesMax = 8 * 1024;

// A CR or LF that is not the line's end. Others take it for one: a request could be smuggled.
// Without `whole` the last CR may be half of the end.
bool is_broken(std::string_view line, bool whole) {
  if (!whole && line.ends_with('\r')) line.remove_suffix(1);
  return line.find_first_of("\r\n") != line.npos;
}

std::string_view without_blanks_behind(std::string_view text) {
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}
}  // namespace

Result<ChunkedDecoder::Step> ChunkedDecoder::decode(std::string_view input, std::size_t data_max) {
  switch (state_) {
    case State::kSize:
      return size_line(input);
    case State::kData: {
      const auto part =
          static_cast<std::size_t>(std::min<std::uint64_t>({left_, input.size(), data_max}));
      left_ -= part;
      if (left_ == 0) state_ = State::kDataEnd;
      return Step{part, input.substr(0, part)};
    }
    case State::kDataEnd:
      if (!std::string_view("\r\n").starts_with(input.substr(0, 2))) {
        return fail(Code::kBadRequest, "chunk has no CRLF behind it");
      }
      if (input.size() < 2) return Step{};
      state_ = State::kSize;
      return Step{2, {}};
    case State::kTrailer:
      return trailer_line(input);
    case State::kDone:
      return Step{};
  }
  return Step{};
}

Result<ChunkedDecoder::Step> ChunkedDecoder::size_line(std::string_view input) {
  const auto end = input.find("\r\n");
  if (is_broken(input.substr(0, end), end != input.npos)) {
    return fail(Code::kBadRequest, "malformed chunk size");
  }
  if (end == input.npos) {
    // The longest line may have its CR, too.
    if (input.size() > kSizeLineMax + 1)
      return fail(Code::kBadRequest, "chunk size line is too long");
    return Step{};
  }
  if (end > kSizeLineMax) return fail(Code::kBadRequest, "chunk size line is too long");
  const std::string_view line = input.substr(0, end);
  const std::string_view digits = without_blanks_behind(line.substr(0, line.find(';')));
  const auto size = base::parse_int<std::uint64_t>(digits, 16);
  if (!size || digits.size() > 16) {
    return fail(Code::kBadRequest, "malformed chunk size");
  }
  left_ = *size;
  state_ = left_ == 0 ? State::kTrailer : State::kData;
  return Step{end + 2, {}};
}

Result<ChunkedDecoder::Step> ChunkedDecoder::trailer_line(std::string_view input) {
  const auto end = input.find("\r\n");
  if (is_broken(input.substr(0, end), end != input.npos)) {
    return fail(Code::kBadRequest, "malformed trailer");
  }
  if (end == input.npos) {
    if (input.size() > kTrailerBytesMax) return fail(Code::kBadRequest, "trailer is too long");
    return Step{};
  }
  trailer_bytes_ += end + 2;
  if (trailer_bytes_ > kTrailerBytesMax) return fail(Code::kBadRequest, "trailer is too long");
  if (end == 0) state_ = State::kDone;
  return Step{end + 2, {}};
}

std::string chunk_head(std::size_t size) { return fmt::format("{:x}\r\n", size); }

}  // namespace hearth::http
