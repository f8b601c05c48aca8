// A blocking HTTP client for the command line. Not for the daemon: that has platform/http.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/result.h"

namespace hearth::cli {

struct HttpCall {
  std::string method = "GET";
  std::string target = "/";  // path and query, percent-encoded
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::chrono::milliseconds timeout{60'000};  // without a byte from the server
  // Takes the body of a success piece by piece; false ends the call. Unset: the body is collected.
  std::function<bool(std::string_view)> on_bytes;
};

struct HttpReply {
  int status = 0;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  std::string header(std::string_view name) const;
};

class HttpClient {
 public:
  // `url`: scheme, host and port. Only certificates of `ca_pem` are trusted with https.
  explicit HttpClient(const std::string& url, const std::string& ca_pem = {});
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;

  // kUnavailable when nobody answers, kDeadlineExceeded after the timeout. Any status is a reply.
  Result<HttpReply> call(HttpCall call);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::cli
