// The data plane: one public port for functions (by host or path), brokers and the platform's own
// pages. One loop; reads the route table as a snapshot, never waits for control.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "emulator/gateway/route_table.h"
#include "platform/async/task.h"
#include "platform/http/client.h"
#include "platform/http/exchange.h"

namespace hearth::async {
class Loop;
}
namespace hearth::http {
class TrustedHosts;
}

namespace hearth::gateway {

struct GatewayHooks {
  // Called on the gateway's loop; must not block.
  std::function<void(const RevisionPtr&)> need_instance;
  // An instance timed out or broke: it should be replaced.
  std::function<void(const std::string& instance_id, const std::string& reason,
                     std::string_view trace_id)>
      instance_broken;
  // A request finds no route, or one without a revision: a table that waits to be published should
  // not wait any longer. publish() may be called from within.
  std::function<void()> route_missing;
  // Requests that are for no function: brokers, status, admin. False: not for it either.
  std::function<Task<bool>(http::Exchange&)> other;
  // Besides the hosts of functions, whose pages reach no more than their function. Null: all.
  const http::TrustedHosts* hosts = nullptr;
};

class Gateway {
 public:
  Gateway(async::Loop& loop, GatewayHooks hooks);
  ~Gateway();

  // Thread-safe.
  void publish(std::shared_ptr<const RouteTable> table);
  void instances_changed(const std::string& revision_key);

  // For http::Server, on the loop.
  Task<void> handle(http::Exchange& exchange);
  // A request from inside the platform (event delivery) to a function, by host name. kNotFound when
  // no function has that host. On the loop.
  Task<Result<http::Response>> request(std::string host, http::RequestHead head, std::string body,
                                       std::chrono::milliseconds timeout);
  // Whether a function has that host. On the loop.
  bool serves(const std::string& host);
  std::shared_ptr<const RouteTable> table() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hearth::gateway
