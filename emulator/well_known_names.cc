#include "emulator/well_known_names.h"

#include <fmt/format.h>

#include "platform/base/hash.h"

namespace hearth::emulator {
namespace {

class Dispatcher {
 public:
  Dispatcher(std::function<gateway::Gateway*()> gateway, http::Client& client)
      : gateway_(std::move(gateway)), client_(client) {}

  Task<Result<http::Response>> send(http::Url url, http::Headers headers, std::string body,
                                    std::chrono::milliseconds timeout) {
    gateway::Gateway* gateway = gateway_();
    const bool is_function = gateway != nullptr && gateway->serves(url.host);
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

std::string cluster_address(const std::filesystem::path& state) {
  const std::string digest = base::sha256(state.string());
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(digest[i]); };
  return fmt::format("127.{}.{}.{}", 64 + byte(0) % 64, byte(1), 1 + byte(2) % 254);
}

std::string hosts_text(const std::string& address, const gateway::RouteTable& table) {
  std::string out = "127.0.0.1 localhost\n::1 localhost\n";
  if (address.empty()) return out;
  out += address + " broker-ingress.knative-eventing.svc.cluster.local\n";
  out += address + " minio.minio.svc.cluster.local\n";
  for (const auto& [host, route] : table.by_host) {
    if (!host.ends_with(".localhost")) out += fmt::format("{} {}\n", address, host);
  }
  return out;
}

}  // namespace hearth::emulator
