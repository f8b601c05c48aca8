// One connected byte stream: TCP, Unix socket or TLS over TCP. Belongs to one loop.
//
// Deadlines: expire_after() arms one moment per stream, checked by a sweeper of the loop every
// 250 ms (a timer per operation costs more than the operation). An expired stream is shut down and
// its operations end with kDeadlineExceeded.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::async {
class Loop;
}

namespace hearth::http {

class TlsContext;

// Where to connect: "unix:/path" or a host and port.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string unix_path;  // wins when not empty
};

class Stream {
 public:
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Adopts a connected socket.
  static std::unique_ptr<Stream> adopt(async::Loop& loop, base::UniqueFd socket);
  // Resolves, connects (and shakes hands when `tls` is given, checking the name `tls_name`).
  static Task<Result<std::unique_ptr<Stream>>> connect(async::Loop& loop, Endpoint endpoint,
                                                       std::chrono::milliseconds timeout,
                                                       const TlsContext* tls = nullptr,
                                                       std::string tls_name = {});

  Task<Status> accept_tls(const TlsContext& tls);

  // At most `size` bytes; 0 is the end of the stream.
  Task<Result<std::size_t>> read_some(char* data, std::size_t size);
  // All of both pieces.
  Task<Status> write(std::string_view first, std::string_view second = {});
  // What the peer took: all, or what it took until it had sent something and took no more. Not for
  // TLS.
  Task<Result<std::size_t>> write_until_answered(std::string_view data);

  void expire_after(std::chrono::milliseconds duration);
  void never_expire();
  // max(): none.
  std::chrono::steady_clock::time_point deadline() const;
  // The peer learns that no more comes, and can still send. False under TLS, whose end is a message
  // of its own.
  bool end_writing();
  // Whether the peer has ended its side: it has gone, or just sends no more.
  bool ended_by_peer() const;
  // Operations under way end with an error. Idempotent.
  void close();
  bool is_open() const;
  int fd() const;
  // "127.0.0.1:4242", "unix"; asked of the kernel once.
  const std::string& peer_address() const;
  // Subject of the verified client certificate ("/O=…/CN=…"), empty without one.
  std::string tls_peer_subject() const;

 private:
  struct State;
  explicit Stream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::http
