#include "emulator/gateway/instance_connection.h"

namespace hearth::gateway {
namespace {
constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kReadBytes = 16 * 1024;
}  // namespace

Task<Status> InstanceConnection::send_request(http::Exchange& exchange, bool& client_failed) {
  const std::string peer = exchange.stream().peer_address();
  const std::string_view address = std::string_view(peer).substr(0, peer.rfind(':'));
  out_.clear();
  if (!exchange.has_body()) {
    append_request_head(out_, exchange.request(), address, true);
    co_return co_await stream_->write(out_);
  }
  append_request_head(out_, exchange.request(), address, false);
  std::string piece(kPieceBytes, '\0');
  bool first = true;
  while (true) {
    // Fill a piece before it is sent: a small body is one write together with its head.
    std::size_t filled = 0;
    bool ended = false;
    while (filled < piece.size()) {
      const auto got = co_await exchange.read(piece.data() + filled, piece.size() - filled);
      if (!got) {
        client_failed = true;
        co_return fail(got.error());
      }
      if (*got == 0) {
        ended = true;
        break;
      }
      filled += *got;
      if (exchange.content_length() && filled >= *exchange.content_length()) {
        ended = true;
        break;
      }
    }
    if (!first) out_.clear();
    append_frame(out_, FrameType::kData, ended, std::string_view(piece).substr(0, filled));
    first = false;
    HEARTH_CO_CHECK_OK(co_await stream_->write(out_));
    if (ended) co_return Status();
  }
}

Task<Status> InstanceConnection::send_request(const http::RequestHead& head,
                                              std::string_view body) {
  out_.clear();
  append_request_head(out_, head, "127.0.0.1", body.empty());
  while (!body.empty()) {
    const std::string_view piece = body.substr(0, kPieceBytes);
    body.remove_prefix(piece.size());
    append_frame(out_, FrameType::kData, body.empty(), piece);
  }
  co_return co_await stream_->write(out_);
}

Task<Result<Frame>> InstanceConnection::read_frame() {
  buffer_.erase(0, consumed_);
  consumed_ = 0;
  while (true) {
    HEARTH_CO_TRY(frame, parse_frame(buffer_));
    if (frame) {
      consumed_ = frame->bytes;
      co_return *frame;
    }
    const std::size_t before = buffer_.size();
    buffer_.resize(before + kReadBytes);
    auto got = co_await stream_->read_some(buffer_.data() + before, kReadBytes);
    buffer_.resize(before + (got ? *got : 0));
    if (!got) co_return fail(got.error());
    if (*got == 0) co_return fail(Code::kUnavailable, "the instance closed the connection");
  }
}

}  // namespace hearth::gateway
