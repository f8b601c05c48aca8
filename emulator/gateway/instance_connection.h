// One connection to an instance: sends a request as frames, reads the response.
#pragma once

#include <memory>
#include <string>

#include "emulator/gateway/frames.h"
#include "platform/async/task.h"
#include "platform/http/exchange.h"
#include "platform/http/stream.h"

namespace hearth::gateway {

class InstanceConnection {
 public:
  explicit InstanceConnection(std::unique_ptr<http::Stream> stream) : stream_(std::move(stream)) {}

  // The whole request of the exchange. `client_failed` is set when the client's side broke.
  Task<Status> send_request(http::Exchange& exchange, bool& client_failed);
  Task<Status> send_request(const http::RequestHead& head, std::string_view body);
  // The next frame; its payload lives until the next call.
  Task<Result<Frame>> read_frame();
  bool reusable() const { return consumed_ == buffer_.size() && stream_->is_open(); }
  http::Stream& stream() { return *stream_; }

 private:
  std::unique_ptr<http::Stream> stream_;
  std::string buffer_;
  std::size_t consumed_ = 0;
  std::string out_;
};

}  // namespace hearth::gateway
