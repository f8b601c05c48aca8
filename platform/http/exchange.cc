#include "platform/http/exchange.h"

#include <fmt/format.h>

#include "platform/base/limits.h"
#include "platform/http/head_writer.h"
#include "platform/http/stream.h"
#include "platform/telemetry/trace.h"

namespace hearth::http {
namespace {
constexpr std::uint64_t kSmallBodyBytes = 64 * 1024;
constexpr std::size_t kPieceBytes = 256UL * 1024;
}  // namespace

Exchange::Exchange(Stream& stream, std::string& buffer, std::string& out)
    : stream_(stream), out_(out), reader_(stream, buffer) {}

void Exchange::start(ParsedHead parsed) {
  parsed_ = parsed;
  keep_alive_ = parsed.keep_alive;
  phase_ = Phase::kWaiting;
  chunked_ = false;
  send_body_ = true;
  continue_sent_ = false;
  body_left_.reset();
  started_ = std::chrono::steady_clock::now();
  status_ = 0;
  body_bytes_sent_ = 0;
  notes_.revision.clear();
  notes_.cold = false;
  reader_.start(parsed.framing);
}

std::string_view Exchange::trace_id() {
  http::Headers& headers = request_.headers;
  if (telemetry::trace_id_of(headers.get_or("traceparent", "")).empty()) {
    headers.set("traceparent", telemetry::new_trace().traceparent());
  }
  return telemetry::trace_id_of(headers.get_or("traceparent", ""));
}

std::optional<std::uint64_t> Exchange::content_length() const {
  if (parsed_.framing.kind == BodyFraming::Kind::kChunked) return std::nullopt;
  return parsed_.framing.length;
}

namespace {

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Task<Status> Exchange::send_continue() {
  continue_sent_ = true;
  co_return co_await stream_.write(kContinue);
}

// RFC 9110 §10.1.1 lets a server leave this out where no content will follow; botocore then takes
// this answer for the next one's too and sends nothing of that: so it comes first in any case.
void Exchange::continue_before_head() {
  if (!owes_continue() || !reader_.done()) return;
  continue_sent_ = true;
  out_ += kContinue;
}

// A deadline holds while the client is waited for. It must not outlast that: what the handler waits
// for next may take longer, and is no fault of the client.
Task<Result<std::size_t>> Exchange::read(char* data, std::size_t size) {
  if (owes_continue()) HEARTH_CO_CHECK_OK(co_await send_continue());
  auto got = co_await reader_.read(data, size);
  stream_.never_expire();
  co_return got;
}

// Small bodies always have room: whoever sends large ones slowly must not hold up everybody.
bool Exchange::needs_room(std::size_t bytes_max) const {
  if (budget_ == nullptr || reader_.done()) return false;
  if (parsed_.framing.kind == BodyFraming::Kind::kChunked) return true;
  return reader_.bytes_left() > kSmallBodyBytes && reader_.bytes_left() <= bytes_max;
}

// For a body that comes in chunks and may have any length, as much as it may have.
Task<Status> Exchange::make_room(std::size_t bytes_max) {
  const bool chunked = parsed_.framing.kind == BodyFraming::Kind::kChunked;
  HEARTH_CO_TRY(room, co_await budget_->take(
                          chunked ? bytes_max : static_cast<std::size_t>(reader_.bytes_left())));
  room_ = std::move(room);
  co_return Status();
}

Task<Result<std::string>> Exchange::read_all(std::size_t bytes_max) {
  if (needs_room(bytes_max)) HEARTH_CO_CHECK_OK(co_await make_room(bytes_max));
  if (owes_continue() && reader_.bytes_left() <= bytes_max) {
    HEARTH_CO_CHECK_OK(co_await send_continue());
  }
  auto body = co_await http::read_all(reader_, bytes_max);
  stream_.never_expire();
  co_return body;
}

bool Exchange::is_bodiless(int status) const {
  return status / 100 == 1 || status == 204 || status == 304;
}

void Exchange::format_head(const ResponseHead& head, std::optional<std::uint64_t> length) {
  out_.clear();
  continue_before_head();
  status_ = head.status;
  append_status_line(out_, head.status);
  append_fields(out_, head.headers);
  if (!head.headers.contains("date")) append_date(out_);
  // An unread body would be taken for the next request: such a connection ends, unless little is
  // left. Of chunks nobody knows.
  if (!reader_.done() && (!content_length() || reader_.bytes_left() > limits::kHeadBytesMax)) {
    keep_alive_ = false;
  }
  if (owes_continue() && !reader_.done()) keep_alive_ = false;
  if (!keep_alive_) append_field(out_, "Connection", "close");
  if (!is_bodiless(head.status)) {
    if (length)
      append_field(out_, "Content-Length", fmt::format_int(*length).c_str());
    else
      append_field(out_, "Transfer-Encoding", "chunked");
  }
  out_ += "\r\n";
  send_body_ = request_.method != "HEAD" && !is_bodiless(head.status);
  chunked_ = !length && send_body_;
}

Task<Status> Exchange::respond(const ResponseHead& head, std::string_view body) {
  format_head(head, body.size());
  phase_ = Phase::kFinished;
  if (!send_body_) body = {};
  body_bytes_sent_ = body.size();
  // A peer that takes a little at a time is not stalled: each piece has the time to itself.
  const std::string_view first = body.substr(0, kPieceBytes);
  stream_.expire_after(limits::kBodyStallTimeout);
  HEARTH_CO_CHECK_OK(co_await stream_.write(out_, first));
  for (body.remove_prefix(first.size()); !body.empty();) {
    const std::string_view piece = body.substr(0, kPieceBytes);
    stream_.expire_after(limits::kBodyStallTimeout);
    HEARTH_CO_CHECK_OK(co_await stream_.write(piece));
    body.remove_prefix(piece.size());
  }
  co_return Status();
}

Task<Status> Exchange::respond(int status, std::string_view content_type, std::string_view body) {
  ResponseHead head{.status = status, .headers = {}};
  if (!content_type.empty()) head.headers.add("Content-Type", content_type);
  co_return co_await respond(head, body);
}

Task<Status> Exchange::begin(const ResponseHead& head, std::optional<std::uint64_t> length) {
  format_head(head, length);
  phase_ = Phase::kStreaming;
  body_left_ = length;
  stream_.expire_after(limits::kBodyStallTimeout);
  Status sent = co_await stream_.write(out_);
  stream_.never_expire();
  co_return sent;
}

Task<Status> Exchange::write(std::string_view data) {
  if (data.empty() || !send_body_) co_return Status();
  body_bytes_sent_ += data.size();
  stream_.expire_after(limits::kBodyStallTimeout);
  if (chunked_) {
    out_ = chunk_head(data.size());
    out_.append(data).append("\r\n");
    data = out_;
  } else if (body_left_) {
    *body_left_ -= std::min<std::uint64_t>(*body_left_, data.size());
  }
  Status sent = co_await stream_.write(data);
  stream_.never_expire();
  co_return sent;
}

Task<Status> Exchange::finish() {
  phase_ = Phase::kFinished;
  if (chunked_) {
    stream_.expire_after(limits::kBodyStallTimeout);
    co_return co_await stream_.write("0\r\n\r\n");
  }
  // Fewer bytes than promised: only closing tells the client.
  if (send_body_ && body_left_.value_or(0) > 0) keep_alive_ = false;
  co_return Status();
}

Task<Status> Exchange::upgrade(const ResponseHead& head, std::string& buffered) {
  out_.clear();
  continue_before_head();
  status_ = head.status;
  append_status_line(out_, head.status);
  for (const auto field : head.headers) append_field(out_, field.name, field.value);
  out_ += "\r\n";
  phase_ = Phase::kFinished;
  keep_alive_ = false;
  buffered.clear();
  stream_.never_expire();
  co_return co_await stream_.write(out_);
}

}  // namespace hearth::http
