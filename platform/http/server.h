// An HTTP/1.1 server on one loop: accepts, parses heads, calls the handler, keeps connections
// alive.
//
// Bounds: limits.h (heads, idle and stall times, connections). Head errors are answered here (400,
// 431, 501). A handler that throws is answered 500 and logged as a bug; the server goes on.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/http/exchange.h"

namespace hearth::async {
class Loop;
}

namespace hearth::http {

class TlsContext;
class TrustedHosts;

using Handler = std::function<Task<void>(Exchange&)>;
// Called on the loop once a request has its answer.
using Observer = std::function<void(Exchange&)>;

struct ListenOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;   // 0: the system chooses
  bool reuse_port = false;  // several loops accept on one port
};

class Server {
 public:
  // `tls` (may be null) and everything the handler uses outlive the server.
  Server(async::Loop& loop, std::string name, Handler handler, const TlsContext* tls = nullptr);
  ~Server();

  // Call on the loop. Returns the port. A busy port is kAlreadyExists.
  Result<std::uint16_t> listen(const ListenOptions& options);
  // Stops accepting, closes idle connections, lets requests end until `grace` has passed.
  Task<void> shutdown(std::chrono::milliseconds grace);
  std::size_t connections() const;
  // Before listen().
  void observe(Observer observer);
  // Requests for other hosts are refused here. Before listen(); they outlive the server.
  void answer_only(const TrustedHosts& hosts);

 private:
  friend class ServerConnection;
  friend struct ServerTasks;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hearth::http
