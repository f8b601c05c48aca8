// Frames between gateway and wrapper: the first byte chooses frames as an instance sends them, or
// an HTTP head that becomes the frame of a request.
#include <algorithm>

#include "emulator/gateway/frames.h"
#include "platform/base/text.h"
#include "platform/http/head_parser.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;

void check_response(std::string_view payload) {
  const auto head = gateway::parse_response_head(payload);
  if (!head) return fuzz::require_reason(head.error());
  require(head->status >= 100 && head->status <= 599, "a status is one");
  for (const auto field : head->headers) {
    require(http::is_token(field.name) && http::is_field_value(field.value), "a header is one");
  }
}

void check_frames(std::string_view buffer) {
  while (true) {
    const auto frame = gateway::parse_frame(buffer);
    if (!frame) return fuzz::require_reason(frame.error());
    if (!*frame) return;
    const gateway::Frame& found = **frame;
    require(found.bytes <= buffer.size(), "a frame lies in the buffer");
    require(found.bytes == gateway::kFrameHeaderSize + found.payload.size(), "nothing is lost");
    require(!gateway::parse_frame(buffer.substr(0, found.bytes - 1)).value().has_value(),
            "a frame that is cut short is none");
    std::string written;
    gateway::append_frame(written, found.type, found.end, found.payload);
    const auto again = gateway::parse_frame(written);
    require(again && *again && (*again)->type == found.type && (*again)->end == found.end &&
                (*again)->payload == found.payload,
            "the same frame after a round trip");
    if (found.type == gateway::FrameType::kHead) check_response(found.payload);
    buffer.remove_prefix(found.bytes);
  }
}

void check_request(std::string_view text) {
  http::RequestHead head;
  const auto parsed = http::parse_request_head(text, head);
  if (!parsed || !*parsed) return;
  std::string out;
  gateway::append_request_head(out, head, "127.0.0.1", true);
  const auto frame = gateway::parse_frame(out);
  require(frame && *frame && (*frame)->bytes == out.size(), "a request's head is one frame");
  std::size_t lines = 1 + 3;  // the request line, and what a proxy adds
  for (const auto field : head.headers) {
    const bool stays =
        http::is_hop_by_hop(field.name) || base::equal_ignoring_case(field.name, "expect");
    lines += stays ? 0 : 1;
  }
  require(static_cast<std::size_t>(std::ranges::count((*frame)->payload, '\n')) == lines,
          "no value becomes a line");
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  std::string_view rest = fuzz::view(data, size);
  if (fuzz::take_choice(rest, 2) == 0) {
    check_frames(rest);
  } else {
    check_request(rest);
  }
  return 0;
}
