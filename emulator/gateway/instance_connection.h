// One connection to an instance: sends a request, reads the response. Wrappers that were built here
// speak frames (frames.h) over a Unix socket, all other images HTTP/1.1 over TCP.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "platform/async/task.h"
#include "platform/http/exchange.h"
#include "platform/http/stream.h"

namespace hearth::gateway {

struct ResponseStart {
  http::ResponseHead head;
  bool end = false;  // no body follows
};

struct BodyPiece {
  std::string_view data;  // may be empty; lives until the next call
  bool end = false;
};

// In turn: one send_request, one read_head, read_piece until its end.
class InstanceConnection {
 public:
  virtual ~InstanceConnection() = default;

  // The request of the exchange: the whole, or as much as an instance takes that refuses the rest.
  // Its answer tells why, and such a connection isn't reusable. `client_failed` is set when the
  // client's side broke.
  virtual Task<Status> send_request(http::Exchange& exchange, bool& client_failed) = 0;
  virtual Task<Status> send_request(const http::RequestHead& head, std::string_view body) = 0;
  virtual Task<Result<ResponseStart>> read_head() = 0;
  virtual Task<Result<BodyPiece>> read_piece() = 0;
  // After the response's end: may the connection carry another request?
  virtual bool reusable() const = 0;
  virtual http::Stream& stream() = 0;
  // For the whole exchange, however its bytes flow.
  virtual void expire_after(std::chrono::milliseconds duration) { stream().expire_after(duration); }
};

std::unique_ptr<InstanceConnection> frame_connection(std::unique_ptr<http::Stream> stream);
std::unique_ptr<InstanceConnection> http_connection(std::unique_ptr<http::Stream> stream);

// The client's address without its port, for the headers that a proxy adds.
std::string client_address(http::Exchange& exchange);

}  // namespace hearth::gateway
