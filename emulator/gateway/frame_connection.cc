#include <algorithm>

#include "emulator/gateway/frames.h"
#include "emulator/gateway/instance_connection.h"
#include "platform/base/grow.h"

namespace hearth::gateway {
namespace {

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kReadBytes = 16 * 1024;

class FrameConnection final : public InstanceConnection {
 public:
  explicit FrameConnection(std::unique_ptr<http::Stream> stream) : stream_(std::move(stream)) {}

  Task<Status> send_request(http::Exchange& exchange, bool& client_failed) override;
  Task<Status> send_request(const http::RequestHead& head, std::string_view body) override;
  Task<Result<ResponseStart>> read_head() override;
  Task<Result<BodyPiece>> read_piece() override;
  bool reusable() const override {
    return !cut_ && consumed_ == buffer_.size() && stream_->is_open();
  }
  http::Stream& stream() override { return *stream_; }

 private:
  Task<Status> send();
  // Its payload lives until the next call.
  Task<Result<Frame>> read_frame();

  std::unique_ptr<http::Stream> stream_;
  std::string buffer_;
  std::size_t consumed_ = 0;
  std::string out_;
  std::optional<Error> cut_;  // why the instance did not get the whole request
};

// A wrapper that refuses a request answers and closes: what fails here is no more than a hint of
// what read_head() will find. (A Unix socket keeps what was sent before the close.)
Task<Status> FrameConnection::send() {
  Status sent = co_await stream_->write(out_);
  out_.clear();
  if (sent || sent.error().code != Code::kUnavailable) co_return sent;
  cut_ = std::move(sent).error();
  co_return Status();
}

Task<Status> FrameConnection::send_request(http::Exchange& exchange, bool& client_failed) {
  const std::string_view peer = exchange.stream().peer_address();
  out_.clear();
  cut_.reset();
  append_request_head(out_, exchange.request(), peer.substr(0, peer.rfind(':')),
                      !exchange.has_body());
  if (!exchange.has_body()) co_return co_await send();
  std::uint64_t left = exchange.content_length().value_or(~std::uint64_t{0});
  bool ended = false;
  while (!ended && !cut_) {
    // Fill a piece before it is sent: a small body is one write together with its head.
    const std::size_t payload_at = begin_data_frame(out_);
    std::size_t room = static_cast<std::size_t>(std::min<std::uint64_t>(left, kPieceBytes));
    while (room > 0 && !ended) {
      const std::size_t before = out_.size();
      base::grow(out_, room);
      const auto got = co_await exchange.read(out_.data() + before, room);
      out_.resize(before + (got ? *got : 0));
      if (!got) {
        client_failed = true;
        co_return fail(got.error());
      }
      room -= *got;
      left -= *got;
      ended = *got == 0 || left == 0;
    }
    end_data_frame(out_, payload_at, ended);
    HEARTH_CO_CHECK_OK(co_await send());
  }
  co_return Status();
}

Task<Status> FrameConnection::send_request(const http::RequestHead& head, std::string_view body) {
  out_.clear();
  cut_.reset();
  append_request_head(out_, head, "127.0.0.1", body.empty());
  while (!body.empty()) {
    const std::string_view piece = body.substr(0, kPieceBytes);
    body.remove_prefix(piece.size());
    append_frame(out_, FrameType::kData, body.empty(), piece);
  }
  co_return co_await send();
}

Task<Result<Frame>> FrameConnection::read_frame() {
  buffer_.erase(0, consumed_);
  consumed_ = 0;
  while (true) {
    HEARTH_CO_TRY(frame, parse_frame(buffer_));
    if (frame) {
      consumed_ = frame->bytes;
      co_return *frame;
    }
    const std::size_t before = buffer_.size();
    base::grow(buffer_, kReadBytes);
    auto got = co_await stream_->read_some(buffer_.data() + before, kReadBytes);
    buffer_.resize(before + (got ? *got : 0));
    if (!got) co_return fail(got.error());
    if (*got == 0)
      co_return fail(
          Code::kUnavailable,
          "the instance ended or closed the connection before it had answered; its log and "
          "its revision's events say why");
  }
}

Task<Result<ResponseStart>> FrameConnection::read_head() {
  const auto frame = co_await read_frame();
  if (!frame) co_return fail(cut_.value_or(frame.error()));
  if (frame->type != FrameType::kHead) co_return fail(Code::kCorrupt, "no head from the instance");
  HEARTH_CO_TRY(head, parse_response_head(frame->payload));
  co_return ResponseStart{std::move(head), frame->end};
}

Task<Result<BodyPiece>> FrameConnection::read_piece() {
  HEARTH_CO_TRY(frame, co_await read_frame());
  co_return BodyPiece{frame.payload, frame.end};
}

}  // namespace

std::unique_ptr<InstanceConnection> frame_connection(std::unique_ptr<http::Stream> stream) {
  return std::make_unique<FrameConnection>(std::move(stream));
}

std::string client_address(http::Exchange& exchange) {
  std::string peer = exchange.stream().peer_address();
  return peer.substr(0, peer.rfind(':'));
}

}  // namespace hearth::gateway
