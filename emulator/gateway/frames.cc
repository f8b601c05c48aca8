#include "emulator/gateway/frames.h"

#include <cstring>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::gateway {
namespace {

void put_header(char* at, std::size_t size, FrameType type, bool end) {
  const auto length = static_cast<std::uint32_t>(size);
  for (int i = 0; i < 4; ++i) at[i] = static_cast<char>(length >> (8 * i));
  at[4] = static_cast<char>(type);
  at[5] = end ? 1 : 0;
  at[6] = 0;
  at[7] = 0;
}

void append_lower(std::string& out, std::string_view text) {
  for (const char c : text) out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
}

}  // namespace

void append_frame(std::string& out, FrameType type, bool end, std::string_view payload) {
  char header[kFrameHeaderSize];
  put_header(header, payload.size(), type, end);
  out.append(header, sizeof header).append(payload);
}

std::size_t begin_data_frame(std::string& out) {
  out.append(kFrameHeaderSize, '\0');
  return out.size();
}

void end_data_frame(std::string& out, std::size_t payload_at, bool end) {
  put_header(out.data() + payload_at - kFrameHeaderSize, out.size() - payload_at, FrameType::kData,
             end);
}

void append_request_head(std::string& out, const http::RequestHead& head, std::string_view peer,
                         bool end) {
  const std::size_t start = out.size();
  out.append(kFrameHeaderSize, '\0');
  out.append(head.method).append(" ").append(head.target).append("\n");
  for (const auto field : head.headers) {
    if (http::is_hop_by_hop(field.name) || base::equal_ignoring_case(field.name, "expect"))
      continue;
    append_lower(out, field.name);
    out.append(": ").append(field.value).append("\n");
  }
  // Knative: X-Forwarded-For, X-Forwarded-Proto and Forwarded reach the application.
  out.append("x-forwarded-for: ").append(peer).append("\nx-forwarded-proto: http\n");
  out.append("forwarded: for=").append(peer).append(";proto=http\n");
  put_header(out.data() + start, out.size() - start - kFrameHeaderSize, FrameType::kHead, end);
}

Result<std::optional<Frame>> parse_frame(std::string_view buffer) {
  if (buffer.size() < kFrameHeaderSize) return std::optional<Frame>();
  std::uint32_t length = 0;
  for (int i = 3; i >= 0; --i) length = (length << 8) | static_cast<unsigned char>(buffer[i]);
  const auto type = static_cast<unsigned char>(buffer[4]);
  if (length > kFramePayloadMax || (type != 1 && type != 2)) {
    return fail(Code::kCorrupt, "the instance sent what is no frame");
  }
  if (buffer.size() < kFrameHeaderSize + length) return std::optional<Frame>();
  return std::optional(Frame{static_cast<FrameType>(type), (buffer[5] & 1) != 0,
                             buffer.substr(kFrameHeaderSize, length), kFrameHeaderSize + length});
}

Result<http::ResponseHead> parse_response_head(std::string_view payload) {
  http::ResponseHead head;
  const auto line_end = payload.find('\n');
  const auto status = base::parse_int<int>(payload.substr(0, line_end));
  if (!status || *status < 100 || *status > 599) {
    return fail(Code::kCorrupt, "the instance sent no status");
  }
  head.status = *status;
  payload.remove_prefix(line_end == payload.npos ? payload.size() : line_end + 1);
  while (!payload.empty()) {
    const auto end = payload.find('\n');
    const std::string_view line = payload.substr(0, end);
    payload.remove_prefix(end == payload.npos ? payload.size() : end + 1);
    const auto colon = line.find(':');
    if (colon == line.npos) continue;
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = base::trim(line.substr(colon + 1));
    if (http::is_token(name) && http::is_field_value(value)) head.headers.add(name, value);
  }
  return head;
}

}  // namespace hearth::gateway
