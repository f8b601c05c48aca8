// HTTP/1.1 client connections and a small pool above them, on one loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/http/body_reader.h"
#include "platform/http/message.h"
#include "platform/http/stream.h"

namespace hearth::http {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;
  std::uint16_t port = 80;
  std::string target = "/";  // path and query

  std::string authority() const;  // host[:port], the port left out when it is the scheme's own
};
// kInvalid with the reason for anything but an absolute http(s) URL.
Result<Url> parse_url(std::string_view text);

// One connection, one exchange at a time: send, read_head, read_body….
class ClientConnection {
 public:
  ClientConnection(async::Loop& loop, std::unique_ptr<Stream> stream);

  // A whole request. The head gets Content-Length; Host must be in it.
  Task<Status> send(const RequestHead& head, std::string_view body);
  // Skips 1xx. The views of the head live until the next call.
  Task<Result<ResponseHead>> read_head();
  Task<Result<std::size_t>> read_body(char* data, std::size_t size);
  Task<Result<std::string>> read_all(std::size_t bytes_max);
  // For the bodies from now on: longer for a stream that is quiet by nature, shorter for an answer.
  void be_patient(BodyPatience patience) { reader_.be_patient(patience); }
  // True when the response was read to its end and the peer keeps the connection.
  bool reusable() const;
  Stream& stream() { return *stream_; }

 private:
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
  std::string out_;
  BodyReader reader_;
  bool was_head_ = false;
  bool keep_alive_ = false;
};

struct Response {
  ResponseHead head;
  std::string body;
};

// What becomes of a request whose reused connection turns out to be closed: nobody knows whether
// the peer has seen it.
enum class Resend { kOnce, kNever };

struct RequestOptions {
  std::chrono::milliseconds timeout{30'000};
  // When given, head and body come within it; otherwise a body takes as long as its bytes flow.
  std::optional<std::chrono::milliseconds> total_timeout;
  Resend resend = Resend::kOnce;
  std::size_t response_bytes_max = 16 * 1024 * 1024;
  // Where to connect instead of the URL's host and port (well-known names, see decisions).
  std::optional<Endpoint> connect_to;
};

class Client {
 public:
  // `tls` (may be null: https is refused) outlives the client.
  explicit Client(async::Loop& loop, const TlsContext* tls = nullptr);
  ~Client();

  // Errors: kUnavailable (no connection, broken), kDeadlineExceeded, kTooLarge. Any status is a
  // success here. A reused connection that the peer had closed is retried once on a fresh one,
  // unless the options forbid it.
  Task<Result<Response>> request(std::string method, Url url, Headers headers, std::string body,
                                 RequestOptions options);

 private:
  struct Pool;
  async::Loop& loop_;
  const TlsContext* tls_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace hearth::http
