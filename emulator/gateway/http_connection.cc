#include <vector>

#include <fmt/format.h>

#include "emulator/gateway/instance_connection.h"
#include "platform/base/text.h"
#include "platform/http/body_reader.h"
#include "platform/http/head_parser.h"
#include "platform/http/head_writer.h"

namespace hearth::gateway {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kReadBytes = 16 * 1024;

class HttpConnection final : public InstanceConnection {
 public:
  explicit HttpConnection(std::unique_ptr<http::Stream> stream)
      : stream_(std::move(stream)), reader_(*stream_, buffer_) {}

  Task<Status> send_request(http::Exchange& exchange, bool& client_failed) override;
  Task<Status> send_request(const http::RequestHead& head, std::string_view body) override;
  Task<Result<ResponseStart>> read_head() override;
  Task<Result<BodyPiece>> read_piece() override;
  bool reusable() const override {
    return keep_alive_ && !cut_ && reader_.done() && buffer_.empty() && stream_->is_open();
  }
  http::Stream& stream() override { return *stream_; }
  void expire_after(std::chrono::milliseconds duration) override;

 private:
  void format_head(const http::RequestHead& head, std::string_view peer);
  Task<Status> send_body(http::Exchange& exchange, bool chunked, bool& client_failed);
  Task<Status> send();
  Task<Status> send_listening();
  Task<Status> read_more();
  Result<std::optional<ResponseStart>> take_head();

  std::unique_ptr<http::Stream> stream_;
  std::string buffer_;  // read, not used yet
  std::string out_;
  std::string piece_;
  http::BodyReader reader_;
  bool was_head_ = false;
  bool keep_alive_ = false;
  std::optional<ResponseStart> early_;  // it came while the request was being sent
  std::optional<Error> cut_;            // why the instance did not get the whole request
};

bool is_upgrade(const http::RequestHead& head) {
  return head.headers.contains("upgrade") &&
         base::lower(head.headers.get_or("connection", "")).contains("upgrade");
}

void HttpConnection::format_head(const http::RequestHead& head, std::string_view peer) {
  was_head_ = head.method == "HEAD";
  keep_alive_ = false;
  early_.reset();
  cut_.reset();
  out_ = fmt::format("{} {} HTTP/1.1\r\n", head.method, head.target);
  for (const auto field : head.headers) {
    // The gateway has answered an Expect itself.
    if (http::is_hop_by_hop(field.name) || base::equal_ignoring_case(field.name, "expect") ||
        base::equal_ignoring_case(field.name, "content-length")) {
      continue;
    }
    http::append_field(out_, field.name, field.value);
  }
  if (is_upgrade(head)) {
    http::append_field(out_, "Connection", "Upgrade");
    http::append_field(out_, "Upgrade", head.headers.get_or("upgrade", ""));
  }
  http::append_field(out_, "X-Forwarded-For", peer);
  http::append_field(out_, "X-Forwarded-Proto", "http");
  http::append_field(out_, "Forwarded", fmt::format("for={};proto=http", peer));
}

Task<Status> HttpConnection::send_request(http::Exchange& exchange, bool& client_failed) {
  format_head(exchange.request(), client_address(exchange));
  if (!exchange.has_body()) {
    out_ += "\r\n";
    co_return co_await send();
  }
  const auto length = exchange.content_length();
  if (length)
    http::append_field(out_, "Content-Length", std::to_string(*length));
  else
    http::append_field(out_, "Transfer-Encoding", "chunked");
  out_ += "\r\n";
  co_return co_await send_body(exchange, !length, client_failed);
}

// The head waits in out_ for the first bytes: a small request is one write.
Task<Status> HttpConnection::send_body(http::Exchange& exchange, bool chunked,
                                       bool& client_failed) {
  piece_.resize(kPieceBytes);
  while (true) {
    const auto got = co_await exchange.read(piece_.data(), piece_.size());
    if (!got) {
      client_failed = true;
      co_return fail(got.error());
    }
    const std::string_view data = std::string_view(piece_).substr(0, *got);
    if (chunked) {
      out_ += fmt::format("{:x}\r\n", data.size());
      out_.append(data).append("\r\n");
    } else {
      out_.append(data);
    }
    HEARTH_CO_CHECK_OK(co_await send());
    if (data.empty() || cut_) co_return Status();
  }
}

// An instance may refuse a body before it has all of it: it answers and closes, or answers and
// reads no more. What it answered counts, not that the rest could not be sent.
Task<Status> HttpConnection::send() {
  Status sent;
  if (early_) {
    sent = co_await stream_->write(out_);
  } else {
    sent = co_await send_listening();
  }
  out_.clear();
  if (sent || sent.error().code != Code::kUnavailable) co_return sent;
  cut_ = std::move(sent).error();
  co_return Status();
}

// When the instance says something and takes no more, a refusal ends the sending. Anything else
// doesn't: one may well begin to answer what one still reads.
Task<Status> HttpConnection::send_listening() {
  std::string_view rest = out_;
  while (!early_) {
    HEARTH_CO_TRY(put, co_await stream_->write_until_answered(rest));
    rest.remove_prefix(put);
    if (rest.empty()) co_return Status();
    HEARTH_CO_CHECK_OK(co_await read_more());
    HEARTH_CO_TRY(start, take_head());
    early_ = std::move(start);  // nothing after an interim answer, or a part of one
  }
  if (early_->head.status >= 400) {
    co_return fail(Code::kUnavailable, "the instance refused the rest of the request");
  }
  co_return co_await stream_->write(rest);
}

Task<Status> HttpConnection::send_request(const http::RequestHead& head, std::string_view body) {
  format_head(head, "127.0.0.1");
  if (!body.empty() || (head.method != "GET" && head.method != "HEAD")) {
    http::append_field(out_, "Content-Length", std::to_string(body.size()));
  }
  out_.append("\r\n").append(body);
  co_return co_await send();
}

Task<Result<ResponseStart>> HttpConnection::read_head() {
  if (early_) co_return std::move(*early_);
  while (true) {
    HEARTH_CO_TRY(start, take_head());
    if (start) co_return std::move(*start);
    const Status more = co_await read_more();
    if (!more) co_return fail(cut_.value_or(more.error()));
  }
}

// The head at the front of the buffer, when it is whole; interim ones are passed over.
Result<std::optional<ResponseStart>> HttpConnection::take_head() {
  ResponseStart out;
  while (!buffer_.empty()) {
    HEARTH_TRY(parsed, http::parse_response_head(buffer_, was_head_, out.head));
    if (!parsed) break;
    buffer_.erase(0, parsed->bytes);
    if (out.head.status / 100 == 1 && out.head.status != 101) continue;
    keep_alive_ = parsed->keep_alive && out.head.status != 101;
    reader_.start(parsed->framing);
    out.end = reader_.done();
    return std::optional(std::move(out));
  }
  return std::optional<ResponseStart>();
}

Task<Status> HttpConnection::read_more() {
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kReadBytes);
  const auto got = co_await stream_->read_some(buffer_.data() + before, kReadBytes);
  buffer_.resize(before + (got ? *got : 0));
  if (!got) co_return fail(got.error());
  if (*got == 0) co_return fail(Code::kUnavailable, "the instance closed the connection");
  co_return Status();
}

// The reader sets the stream's deadline anew with every piece: it has to be the same one.
void HttpConnection::expire_after(std::chrono::milliseconds duration) {
  stream_->expire_after(duration);
  reader_.be_patient({.stall = duration, .end = std::chrono::steady_clock::now() + duration});
}

Task<Result<BodyPiece>> HttpConnection::read_piece() {
  piece_.resize(kPieceBytes);
  HEARTH_CO_TRY(got, co_await reader_.read(piece_.data(), piece_.size()));
  co_return BodyPiece{std::string_view(piece_).substr(0, got), got == 0 || reader_.done()};
}

}  // namespace

std::unique_ptr<InstanceConnection> http_connection(std::unique_ptr<http::Stream> stream) {
  return std::make_unique<HttpConnection>(std::move(stream));
}

}  // namespace hearth::gateway
