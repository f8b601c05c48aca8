// Requests to one Kubernetes API server: login, time limits, retries where they are safe, errors of
// the house for its answers.
//
// Lives on one loop. A wait that is cancelled ends with kCancelled. A token file is read again once
// a minute and at once after a 401 (projected tokens rotate), then the request is sent once more.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include "kube-adapter/kubeconfig.h"
#include "kube-adapter/retry.h"
#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/http/client.h"
#include "platform/http/tls.h"

namespace hearth::async {
class Loop;
}

namespace hearth::kube_adapter {

struct ApiRequest {
  std::string method = "GET";
  std::string target;  // path and query, below the server's own path
  std::string body;
  std::string content_type = "application/json";
  Repeat repeat = Repeat::kAllowed;
  std::size_t response_bytes_max = 8 * 1024 * 1024;
};

struct ApiAnswer {
  Json body;
  std::vector<std::string> warnings;  // texts of Warning headers
};

struct ApiClientOptions {
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds request_timeout{30'000};  // head and body
};

class ApiClient {
 public:
  // kInvalid: certificates or keys that are none. kNotFound: no token file. `clock` outlives it.
  static Result<std::unique_ptr<ApiClient>> create(async::Loop& loop, const base::Clock& clock,
                                                   ClusterAccess access,
                                                   ApiClientOptions options = {});
  ~ApiClient();

  Task<Result<ApiAnswer>> send(ApiRequest request);
  // A GET whose answer streams: the head was read and is 200, the body is the caller's to read.
  Task<Result<std::unique_ptr<http::ClientConnection>>> open_stream(std::string target);

  const ClusterAccess& access() const { return access_; }

 private:
  ApiClient(async::Loop& loop, const base::Clock& clock, ClusterAccess access,
            ApiClientOptions options, http::TlsContext tls);

  struct Attempts;
  Status read_token();
  http::Headers headers_for(const ApiRequest& request);
  http::Url url_for(const std::string& target) const;
  http::Endpoint endpoint() const { return {access_.server.host, access_.server.port, {}}; }
  Task<std::expected<ApiAnswer, Failure>> try_send(const ApiRequest& request);
  Task<std::expected<std::unique_ptr<http::ClientConnection>, Failure>> try_open(
      const ApiRequest& request);
  Task<Status> before_next(Attempts& attempts, const Failure& failure);

  async::Loop& loop_;
  const base::Clock& clock_;
  ClusterAccess access_;
  ApiClientOptions options_;
  http::TlsContext tls_;
  http::Client http_;
  std::string token_;
  base::MonotonicTime token_read_;
};

}  // namespace hearth::kube_adapter
