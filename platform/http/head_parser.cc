#include "platform/http/head_parser.h"

#include <algorithm>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <fmt/format.h>

#include "platform/base/limits.h"
#include "platform/base/text.h"

namespace hearth::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;
using beast::string_view;

std::string_view view(string_view text) { return {text.data(), text.size()}; }

// What both kinds of parser share: fields go into `headers`.
template <bool isRequest>
class Parser final : public beast::http::basic_parser<isRequest> {
 public:
  explicit Parser(Headers& headers) : headers_(headers) {
    this->header_limit(limits::kHeadBytesMax);
    this->body_limit(boost::none);
    this->skip(true);  // bodies are read by BodyReader, straight into their destination
  }

  std::string* method = nullptr;
  std::string* target = nullptr;
  int* status = nullptr;
  int version = 11;

 private:
  void on_request_impl(beast::http::verb, string_view method_text, string_view target_text,
                       int http_version, error_code&) override {
    version = http_version;
    *method = view(method_text);
    *target = view(target_text);
  }
  void on_response_impl(int code, string_view, int, error_code&) override { *status = code; }
  void on_field_impl(beast::http::field, string_view name, string_view value,
                     error_code& error) override {
    if (headers_.size() >= limits::kHeadersMax) {
      error = beast::http::error::header_limit;
      return;
    }
    headers_.add(view(name), view(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(string_view body, error_code&) override { return body.size(); }
  void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, string_view body, error_code&) override {
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  Headers& headers_;
};

Error head_error(const error_code& error) {
  if (error == beast::http::error::header_limit) {
    return {Code::kTooLarge, "request head is over the limit of headers or bytes", {}};
  }
  return {Code::kBadRequest, "malformed HTTP head: " + error.message(), {}};
}

bool has_token(std::string_view list, std::string_view token) {
  for (const std::string_view part : base::split(list, ',')) {
    if (base::equal_ignoring_case(base::trim(part), token)) return true;
  }
  return false;
}

// Only "chunked" is understood; any other coding would make the body's end a guess.
Status check_transfer_encoding(const Headers& headers) {
  const auto coding = headers.get("transfer-encoding");
  if (!coding) return {};
  if (headers.count("transfer-encoding") > 1 || !base::equal_ignoring_case(*coding, "chunked")) {
    return fail(Code::kUnsupported, "transfer coding is not \"chunked\"");
  }
  if (headers.contains("content-length")) {
    return fail(Code::kBadRequest, "Content-Length beside Transfer-Encoding");
  }
  return {};
}

// RFC 9112 §6.3 lets equal lengths be merged. Those who merge and those who take one part of such a
// list for the length see other bodies in the same bytes.
Status check_content_length(const Headers& headers) {
  const auto length = headers.get("content-length");
  if (!length) return {};
  const bool digits = std::ranges::all_of(*length, [](char c) { return c >= '0' && c <= '9'; });
  if (headers.count("content-length") == 1 && digits) return {};
  return fail(Code::kBadRequest, "Content-Length is not one number");
}

Status check_target(const RequestHead& head) {
  if (head.target == "*" || head.method == "CONNECT") return {};
  if (!head.target.starts_with('/') && !head.target.starts_with("http://") &&
      !head.target.starts_with("https://")) {
    return fail(Code::kBadRequest, "request target is neither a path nor a URL");
  }
  return {};
}

// RFC 9112 §3.2.2: the absolute form is what proxies are sent; its authority replaces Host.
void use_absolute_form(RequestHead& head) {
  const auto scheme_end = head.target.find("://");
  if (head.target.starts_with('/') || scheme_end == std::string::npos) return;
  const auto path_at = head.target.find_first_of("/?", scheme_end + 3);
  const std::string authority = head.target.substr(
      scheme_end + 3, path_at == std::string::npos ? path_at : path_at - scheme_end - 3);
  std::string path = path_at == std::string::npos ? "/" : head.target.substr(path_at);
  if (path.starts_with('?')) path.insert(0, 1, '/');
  head.headers.set("Host", authority);
  head.target = std::move(path);
}

// Whether a whole head is at the front of the text; an error when it can't become one.
Result<bool> contains_whole_head(std::string_view text, std::string_view what) {
  const auto end = text.find("\r\n\r\n");
  // RFC 9112 §2.2 lets a bare LF end a line. Those who do and those who don't see other heads in
  // the same bytes, and requests are smuggled through the difference.
  if (has_bare_lf(text.substr(0, end))) {
    return fail(Code::kBadRequest, "malformed HTTP head: a line ends with LF, not with CRLF");
  }
  if (end != text.npos) return true;
  if (text.size() <= limits::kHeadBytesMax) return false;
  return fail(Code::kTooLarge, fmt::format("{} head is over 64 KiB", what));
}

}  // namespace

Result<std::optional<ParsedHead>> parse_request_head(std::string_view buffer, RequestHead& out) {
  // RFC 9112 §2.2: empty lines before a request line are ignored.
  std::size_t skipped = 0;
  while (skipped < 8 && buffer.substr(skipped).starts_with("\r\n")) skipped += 2;
  const std::string_view text = buffer.substr(skipped);
  // A TLS hello on a plain port gets its answer at once; waiting for the rest of a "head" would
  // stall every client that tries HTTPS first.
  if (!text.empty() && !is_token(text.substr(0, 1)) && text[0] != '\r') {
    return fail(Code::kBadRequest, "malformed HTTP head: this port speaks plain HTTP");
  }
  HEARTH_TRY(whole, contains_whole_head(text, "request"));
  if (!whole) return std::optional<ParsedHead>();
  out.headers.clear();
  Parser<true> parser(out.headers);
  parser.method = &out.method;
  parser.target = &out.target;
  error_code error;
  const std::size_t used = parser.put(boost::asio::buffer(text.data(), text.size()), error);
  if (error) return fail(head_error(error));
  if (!parser.is_header_done()) return fail(Code::kBadRequest, "malformed HTTP head");
  HEARTH_CHECK_OK(check_transfer_encoding(out.headers));
  HEARTH_CHECK_OK(check_content_length(out.headers));
  HEARTH_CHECK_OK(check_target(out));
  const bool http_1_1 = parser.version >= 11;
  if (out.headers.count("host") != 1 && (http_1_1 || out.headers.contains("host"))) {
    return fail(Code::kBadRequest, "a request needs exactly one Host header");
  }
  if (parser.chunked() && !http_1_1) {
    return fail(Code::kBadRequest, "Transfer-Encoding in an HTTP/1.0 request");
  }
  use_absolute_form(out);
  ParsedHead parsed{.bytes = used + skipped, .framing = {}, .keep_alive = parser.keep_alive()};
  if (parser.chunked()) {
    parsed.framing.kind = BodyFraming::Kind::kChunked;
  } else if (const auto length = parser.content_length(); length && *length > 0) {
    parsed.framing = {BodyFraming::Kind::kLength, *length};
  }
  parsed.expects_continue = http_1_1 && has_token(out.headers.get_or("expect", ""), "100-continue");
  parsed.upgrade = has_token(out.headers.get_or("connection", ""), "upgrade");
  return std::optional(parsed);
}

Result<std::optional<ParsedHead>> parse_response_head(std::string_view buffer,
                                                      bool request_was_head, ResponseHead& out) {
  HEARTH_TRY(whole, contains_whole_head(buffer, "response"));
  if (!whole) return std::optional<ParsedHead>();
  out.headers.clear();
  Parser<false> parser(out.headers);
  parser.status = &out.status;
  error_code error;
  const std::size_t used = parser.put(boost::asio::buffer(buffer.data(), buffer.size()), error);
  if (error) return fail(head_error(error));
  if (out.status < 100) return fail(Code::kBadRequest, "malformed HTTP head: no status code");
  HEARTH_CHECK_OK(check_transfer_encoding(out.headers));
  HEARTH_CHECK_OK(check_content_length(out.headers));
  ParsedHead parsed{.bytes = used, .framing = {}, .keep_alive = parser.keep_alive()};
  const bool bodiless =
      request_was_head || out.status / 100 == 1 || out.status == 204 || out.status == 304;
  if (bodiless) return std::optional(parsed);
  if (parser.chunked()) {
    parsed.framing.kind = BodyFraming::Kind::kChunked;
  } else if (const auto length = parser.content_length()) {
    if (*length > 0) parsed.framing = {BodyFraming::Kind::kLength, *length};
  } else {
    parsed.framing.kind = BodyFraming::Kind::kUntilClose;
    parsed.keep_alive = false;
  }
  return std::optional(parsed);
}

}  // namespace hearth::http
