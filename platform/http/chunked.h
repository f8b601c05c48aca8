// The chunked transfer coding (RFC 9112 §7.1), strict: CRLF only, hex sizes of at most 16 digits,
// bounded extensions and trailers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace hearth::http {

class ChunkedDecoder {
 public:
  struct Step {
    std::size_t consumed = 0;  // bytes of the input that are done with
    std::string_view data;     // body bytes, a view into the input
  };
  // Takes the next piece of input, at most `data_max` bytes of body; call again with the rest until
  // done() or nothing is consumed (then more input is needed).
  Result<Step> decode(std::string_view input, std::size_t data_max);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State { kSize, kData, kDataEnd, kTrailer, kDone };
  Result<Step> size_line(std::string_view input);
  Result<Step> trailer_line(std::string_view input);

  State state_ = State::kSize;
  std::uint64_t left_ = 0;
  std::size_t trailer_bytes_ = 0;
};

// "1a\r\n": the line before a chunk of that size.
std::string chunk_head(std::size_t size);

}  // namespace hearth::http
