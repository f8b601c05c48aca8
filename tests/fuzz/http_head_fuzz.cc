// Request and response heads: what is taken is bounded, needs no byte behind its end, and means the
// same when it is written and read again.
#include <fmt/format.h>

#include "platform/base/limits.h"
#include "platform/http/head_parser.h"
#include "platform/http/head_writer.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;

void require_sane(const http::Headers& headers) {
  // The absolute form of a target may add a Host.
  require(headers.size() <= limits::kHeadersMax + 1, "headers are bounded");
  for (const auto field : headers) {
    require(http::is_token(field.name), "a header's name is a token");
    require(http::is_field_value(field.value), "a header's value has no line break");
  }
}

void require_same(const http::Headers& a, const http::Headers& b) {
  require(a.size() == b.size(), "as many headers after a round trip");
  for (std::size_t i = 0; i < a.size(); ++i) {
    require(a.at(i).name == b.at(i).name && a.at(i).value == b.at(i).value,
            "the same header after a round trip");
  }
}

void require_same(const http::BodyFraming& a, const http::BodyFraming& b) {
  require(a.kind == b.kind && a.length == b.length, "the same framing after a round trip");
}

std::string with_headers(std::string out, const http::Headers& headers) {
  for (const auto field : headers) http::append_field(out, field.name, field.value);
  return out + "\r\n";
}

bool fits_again(std::string_view head) {
  return head.size() < limits::kHeadBytesMax - 4 * limits::kHeadersMax;
}

void check_request(std::string_view text) {
  http::RequestHead head;
  const auto parsed = http::parse_request_head(text, head);
  if (!parsed) return fuzz::require_reason(parsed.error());
  if (!*parsed) return;
  const http::ParsedHead& found = **parsed;
  require(found.bytes > 0 && found.bytes <= text.size(), "a head lies in the buffer");
  require_sane(head.headers);
  require(http::is_token(head.method), "a method is a token");
  require(head.target.find_first_of(" \r\n") == std::string::npos, "a target has no blank");
  (void)head.host();
  (void)http::parse_query(head.query());

  http::RequestHead shorter;
  const auto cut = http::parse_request_head(text.substr(0, found.bytes - 1), shorter);
  require(!cut || !*cut, "a head that is cut short is no head");

  if (head.headers.size() > limits::kHeadersMax || !fits_again(text.substr(0, found.bytes))) return;
  const bool has_host = head.headers.count("host") == 1;
  const std::string written = with_headers(
      fmt::format("{} {} HTTP/1.{}\r\n", head.method, head.target, has_host ? 1 : 0), head.headers);
  http::RequestHead again;
  const auto reparsed = http::parse_request_head(written, again);
  require(reparsed && *reparsed, "a written head is a head");
  require((*reparsed)->bytes == written.size(), "a written head ends where it ends");
  require(again.method == head.method && again.target == head.target,
          "the same request line after a round trip");
  require_same(head.headers, again.headers);
  require_same(found.framing, (*reparsed)->framing);
}

void check_response(std::string_view text, bool request_was_head) {
  http::ResponseHead head;
  const auto parsed = http::parse_response_head(text, request_was_head, head);
  if (!parsed) return fuzz::require_reason(parsed.error());
  if (!*parsed) return;
  const http::ParsedHead& found = **parsed;
  require(found.bytes > 0 && found.bytes <= text.size(), "a head lies in the buffer");
  require_sane(head.headers);
  if (!fits_again(text.substr(0, found.bytes))) return;

  std::string written;
  http::append_status_line(written, head.status);
  written = with_headers(std::move(written), head.headers);
  http::ResponseHead again;
  const auto reparsed = http::parse_response_head(written, request_was_head, again);
  require(reparsed && *reparsed, "a written head is a head");
  require(again.status == head.status, "the same status after a round trip");
  require_same(head.headers, again.headers);
  require_same(found.framing, (*reparsed)->framing);
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = hearth::fuzz::view(data, size);
  hearth::check_request(text);
  hearth::check_response(text, false);
  hearth::check_response(text, true);
  return 0;
}
