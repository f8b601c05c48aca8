#include "emulator/well_known_names.h"

namespace hearth::emulator {
namespace {

class Dispatcher {
 public:
  Dispatcher(std::function<gateway::Gateway*()> gateway, http::Client& client)
      : gateway_(std::move(gateway)), client_(client) {}

  Task<Result<http::Response>> send(http::Url url, http::Headers headers, std::string body,
                                    std::chrono::milliseconds timeout) {
    gateway::Gateway* gateway = gateway_();
    const bool is_function = gateway != nullptr && gateway->table()->by_host.contains(url.host);
    if (!is_function) {
      co_return co_await client_.request("POST", url, std::move(headers), std::move(body),
                                         {.timeout = timeout});
    }
    http::RequestHead head{.method = "POST", .target = url.target, .headers = std::move(headers)};
    head.headers.set("Host", url.authority());
    co_return co_await gateway->request(url.host, std::move(head), std::move(body), timeout);
  }

 private:
  std::function<gateway::Gateway*()> gateway_;
  http::Client& client_;
};

}  // namespace

eventing::Dispatch make_dispatch(std::function<gateway::Gateway*()> gateway, http::Client& client) {
  auto dispatcher = std::make_shared<Dispatcher>(std::move(gateway), client);
  return [dispatcher](http::Url url, http::Headers headers, std::string body,
                      std::chrono::milliseconds timeout) {
    return dispatcher->send(std::move(url), std::move(headers), std::move(body), timeout);
  };
}

}  // namespace hearth::emulator
