// Heads from bytes: a thin front of Beast's push parser (strict, fuzzed upstream) that fills our
// own heads and stops where the body begins.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "platform/base/result.h"
#include "platform/http/message.h"

namespace hearth::http {

// How the body that follows a head is delimited.
struct BodyFraming {
  enum class Kind { kNone, kLength, kChunked, kUntilClose };
  Kind kind = Kind::kNone;
  std::uint64_t length = 0;
};

struct ParsedHead {
  std::size_t bytes = 0;  // size of the head; the body begins behind it
  BodyFraming framing;
  bool keep_alive = false;
  bool expects_continue = false;
  bool upgrade = false;
};

// Parses the head at the front of `buffer`. An empty optional means: more bytes are needed.
// Errors: kTooLarge (431), kUnsupported (501, unknown transfer coding), kBadRequest (400).
// Refuses what makes request smuggling possible: Content-Length beside Transfer-Encoding, several
// or malformed Content-Length, a transfer coding but "chunked", HTTP/1.1 without exactly one Host,
// a line that ends with a bare LF (at once: the rest of such a head need not come).
Result<std::optional<ParsedHead>> parse_request_head(std::string_view buffer, RequestHead& out);

// `request_was_head`: the answer to HEAD has no body whatever it says.
Result<std::optional<ParsedHead>> parse_response_head(std::string_view buffer,
                                                      bool request_was_head, ResponseHead& out);

}  // namespace hearth::http
