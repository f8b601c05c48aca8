// The protocol between gateway and wrapper over a Unix socket, one exchange at a time.
//
// Frame: u32 payload length, u8 type, u8 flags, u16 zero; little endian. Type 1 is a head, 2 data;
// flag 1 ends the message. Request head: "METHOD TARGET\nname: value\n…"; response head:
// "STATUS\nname: value\n…". HTTP's own framing is not needed between two ends that we wrote, and
// costs both sides a parser.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/result.h"
#include "platform/http/message.h"

namespace hearth::gateway {

inline constexpr std::size_t kFrameHeaderSize = 8;
inline constexpr std::size_t kFramePayloadMax = 1024 * 1024;

enum class FrameType : std::uint8_t { kHead = 1, kData = 2 };

struct Frame {
  FrameType type = FrameType::kHead;
  bool end = false;
  std::string_view payload;
  std::size_t bytes = 0;  // of the whole frame
};

void append_frame(std::string& out, FrameType type, bool end, std::string_view payload);
// A data frame whose payload is read straight into `out`: the first call leaves room for the
// frame's header and says where the payload begins, the second writes the header when it is there.
std::size_t begin_data_frame(std::string& out);
void end_data_frame(std::string& out, std::size_t payload_at, bool end);
// The request's head as a frame, with what a proxy adds.
void append_request_head(std::string& out, const http::RequestHead& head, std::string_view peer,
                         bool end);

// The frame at the front of the buffer; an empty optional: more bytes are needed. kCorrupt for what
// is no frame.
Result<std::optional<Frame>> parse_frame(std::string_view buffer);
Result<http::ResponseHead> parse_response_head(std::string_view payload);

}  // namespace hearth::gateway
