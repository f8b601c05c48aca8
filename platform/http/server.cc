#include "platform/http/server.h"

#include <algorithm>
#include <climits>
#include <list>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/socket_base.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include "platform/async/loop.h"
#include "platform/async/task_group.h"
#include "platform/async/timer.h"
#include "platform/base/grow.h"
#include "platform/base/limits.h"
#include "platform/http/body_budget.h"
#include "platform/http/stream.h"
#include "platform/http/tls.h"
#include "platform/http/trusted_hosts.h"
#include "platform/telemetry/log.h"

namespace hearth::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {
constexpr telemetry::Log kLog("http");
constexpr std::size_t kReadBytes = 16 * 1024;
// How long a client may go on sending what nobody wants.
constexpr std::chrono::seconds kLingerTime{5};

// What the last connection leaves for the files, instances and own connections of those that are
// connected already.
constexpr int kDescriptorsKept = 64;
constexpr std::chrono::milliseconds kRoomInterval{50};
constexpr std::chrono::seconds kTellInterval{30};

// Descriptors are numbered from the lowest that is free: from this number on, few are left.
int first_kept_descriptor() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) return INT_MAX;
  const int all = static_cast<int>(limit.rlim_cur);
  return all - std::min(kDescriptorsKept, all / 4);
}

int status_of(const Error& error) {
  if (error.code == Code::kTooLarge) return 431;
  if (error.code == Code::kUnsupported) return 501;
  return 400;
}
}  // namespace

class ServerConnection;

struct Server::State {
  State(async::Loop& l, std::string n, Handler h, const TlsContext* t)
      : loop(l),
        name(std::move(n)),
        handler(std::move(h)),
        tls(t),
        bodies(l, limits::kBodyBytesHeldMax, limits::kBodyRoomPatience),
        acceptor(l.context()),
        tasks(l) {}

  async::Loop& loop;
  std::string name;
  Handler handler;
  Observer observer;
  const TrustedHosts* hosts = nullptr;  // null: all are answered
  const TlsContext* tls;
  BodyBudget bodies;
  tcp::acceptor acceptor;
  // Few descriptors are left: no connection is accepted until some are free again.
  bool crowded = false;
  bool told = false;
  std::chrono::steady_clock::time_point told_at{};
  async::TaskGroup tasks;
  std::list<ServerConnection*> connections;
  bool stopping = false;
};

class ServerConnection {
 public:
  ServerConnection(Server::State& server, std::unique_ptr<Stream> stream);
  ~ServerConnection() { server_.connections.erase(position_); }
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  Task<void> serve();
  bool idle() const { return idle_; }
  void close() { stream_->close(); }

 private:
  // False: the connection has ended or must end.
  Task<bool> read_head();
  Task<void> handle();
  Task<bool> drain_body();
  Task<void> linger();
  Task<void> refuse(const Error& error);

  Server::State& server_;
  std::unique_ptr<Stream> stream_;
  std::string buffer_;
  std::string out_;
  Exchange exchange_;
  std::list<ServerConnection*>::iterator position_;
  bool idle_ = true;
};

ServerConnection::ServerConnection(Server::State& server, std::unique_ptr<Stream> stream)
    : server_(server), stream_(std::move(stream)), exchange_(*stream_, buffer_, out_) {
  exchange_.budget_ = &server_.bodies;
  server_.connections.push_back(this);
  position_ = std::prev(server_.connections.end());
}

Task<void> ServerConnection::serve() {
  stream_->expire_after(limits::kHeadTimeout);
  if (server_.tls != nullptr) {
    if (!co_await stream_->accept_tls(*server_.tls)) co_return;
  }
  while (!server_.stopping && co_await read_head()) {
    idle_ = false;
    co_await handle();
    if (server_.observer) server_.observer(exchange_);
    exchange_.room_ = {};
    if (!exchange_.finished() || !exchange_.keep_alive_ || !stream_->is_open()) break;
    if (!co_await drain_body()) break;
    idle_ = true;
  }
  if (exchange_.finished() && !exchange_.reader_.done()) co_await linger();
}

Task<bool> ServerConnection::read_head() {
  bool timed = false;
  stream_->expire_after(limits::kIdleTimeout);
  while (true) {
    if (!buffer_.empty()) {
      auto parsed = parse_request_head(buffer_, exchange_.request_);
      if (!parsed) {
        co_await refuse(parsed.error());
        co_return false;
      }
      if (*parsed) {
        buffer_.erase(0, (*parsed)->bytes);
        stream_->never_expire();
        exchange_.start(**parsed);
        co_return true;
      }
      if (!timed) stream_->expire_after(limits::kHeadTimeout);
      timed = true;
    }
    const std::size_t before = buffer_.size();
    base::grow(buffer_, kReadBytes);
    const auto got = co_await stream_->read_some(buffer_.data() + before, kReadBytes);
    buffer_.resize(before + (got ? *got : 0));
    if (!got || *got == 0) co_return false;
  }
}

Task<void> ServerConnection::handle() {
  const TrustedHosts* hosts = server_.hosts;
  if (hosts != nullptr && !hosts->trusts(exchange_.request_.headers.get_or("host", ""))) {
    co_return co_await hosts->refuse(exchange_);
  }
  std::string bug;
  try {
    co_await server_.handler(exchange_);
  } catch (const std::exception& e) {
    bug = e.what();
  }
  if (bug.empty()) co_return;
  kLog.error("handler_threw", {{"server", server_.name},
                               {"method", exchange_.request_.method},
                               {"target", exchange_.request_.target},
                               {"trace_id", exchange_.trace_id()},
                               {"error", bug}});
  if (!exchange_.responded()) co_await exchange_.respond(500, "text/plain", "internal error\n");
}

Task<bool> ServerConnection::drain_body() {
  char scrap[8 * 1024];
  std::size_t drained = 0;
  while (!exchange_.reader_.done()) {
    const auto got = co_await exchange_.reader_.read(scrap, sizeof scrap);
    if (!got) co_return false;
    drained += *got;
    if (drained > limits::kHeadBytesMax) co_return false;
  }
  co_return true;
}

// RFC 9112 §9.6: to close while the client still sends resets the connection, and the reset may
// destroy the answer before the client has read it.
Task<void> ServerConnection::linger() {
  // The shutdown closes who is idle once, when it begins.
  if (server_.stopping || !stream_->end_writing()) co_return;
  idle_ = true;
  stream_->expire_after(kLingerTime);
  buffer_.resize(kReadBytes);
  while (true) {
    const auto got = co_await stream_->read_some(buffer_.data(), buffer_.size());
    if (!got || *got == 0) co_return;
  }
}

Task<void> ServerConnection::refuse(const Error& error) {
  exchange_.request_.method = "GET";
  exchange_.start(ParsedHead{});
  exchange_.close_after();
  co_await exchange_.respond(status_of(error), "text/plain; charset=utf-8", error.message + "\n");
  co_await linger();
}

struct ServerTasks {
  static Task<void> connection(std::shared_ptr<Server::State> server,
                               std::unique_ptr<Stream> stream) {
    ServerConnection connection(*server, std::move(stream));
    co_await connection.serve();
  }

  // Who connects meanwhile waits in the socket's queue. False: the server stops.
  static Task<bool> wait_for_room(Server::State& server) {
    while (server.crowded && !server.stopping) {
      if (!co_await async::sleep_for(kRoomInterval)) co_return false;
      const base::UniqueFd lowest(::fcntl(server.acceptor.native_handle(), F_DUPFD_CLOEXEC, 0));
      server.crowded = !lowest || lowest.get() >= first_kept_descriptor();
    }
    if (std::exchange(server.told, false)) {
      kLog.info("connections_taken_again", {{"server", server.name}});
    }
    co_return !server.stopping;
  }

  // Once in a while: a crowd that comes and goes must not fill the log.
  static void tell_crowded(Server::State& server) {
    const auto now = std::chrono::steady_clock::now();
    if (server.told || now - server.told_at < kTellInterval) return;
    server.told = true;
    server.told_at = now;
    kLog.warn("connections_wait",
              {{"server", server.name},
               {"connections", server.connections.size()},
               {"reason", "few descriptors are left; raise the limit of open files"}});
  }

  static Task<void> accept(std::shared_ptr<Server::State> server) {
    while (!server->stopping) {
      if (server->crowded && !co_await wait_for_room(*server)) co_return;
      auto [error, socket] =
          co_await server->acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
      if (error == asio::error::operation_aborted || server->stopping) co_return;
      server->crowded = error || socket.native_handle() >= first_kept_descriptor();
      if (server->crowded) tell_crowded(*server);
      if (error) continue;
      if (server->connections.size() >= limits::kConnectionsMax) continue;
      auto stream = Stream::adopt(server->loop, base::UniqueFd(socket.release()));
      server->tasks.spawn(connection(server, std::move(stream)));
    }
  }
};

Server::Server(async::Loop& loop, std::string name, Handler handler, const TlsContext* tls)
    : state_(std::make_shared<State>(loop, std::move(name), std::move(handler), tls)) {}

Server::~Server() { state_->stopping = true; }

Result<std::uint16_t> Server::listen(const ListenOptions& options) {
  error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) return fail(Code::kInvalid, fmt::format("{} is no IP address", options.address));
  const tcp::endpoint endpoint(address, options.port);
  auto& acceptor = state_->acceptor;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && options.reuse_port) {
    using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
    acceptor.set_option(reuse_port(true), error);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(1024, error);
  if (error) {
    const Code code =
        error == asio::error::address_in_use ? Code::kAlreadyExists : Code::kUnavailable;
    return fail(code, fmt::format("{}:{}: {}", options.address, options.port, error.message()));
  }
  state_->tasks.spawn(ServerTasks::accept(state_));
  return acceptor.local_endpoint().port();
}

Task<void> Server::shutdown(std::chrono::milliseconds grace) {
  const auto state = state_;
  state->stopping = true;
  error_code ignored;
  state->acceptor.close(ignored);
  for (ServerConnection* connection : state->connections) {
    if (connection->idle()) connection->close();
  }
  const auto until = std::chrono::steady_clock::now() + grace;
  while (!state->connections.empty() && std::chrono::steady_clock::now() < until) {
    co_await async::sleep_for(std::chrono::milliseconds(5));
  }
  for (ServerConnection* connection : state->connections) connection->close();
  state->tasks.cancel();
  co_await state->tasks.drain();
}

void Server::observe(Observer observer) { state_->observer = std::move(observer); }

void Server::answer_only(const TrustedHosts& hosts) { state_->hosts = &hosts; }

std::size_t Server::connections() const { return state_->connections.size(); }

}  // namespace hearth::http
