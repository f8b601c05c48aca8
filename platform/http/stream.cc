#include "platform/http/stream.h"

#include <array>
#include <cerrno>
#include <list>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "platform/async/loop.h"
#include "platform/http/tls.h"

namespace hearth::http {

namespace asio = boost::asio;
using Socket = asio::generic::stream_protocol::socket;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto kSweepInterval = std::chrono::milliseconds(250);
constexpr auto kNever = Clock::time_point::max();
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

struct Swept {
  virtual ~Swept() = default;
  virtual void expire() = 0;

  Clock::time_point deadline = kNever;
};

// One per loop: closes what is past its deadline.
class Sweeper final : public asio::execution_context::service {
 public:
  using key_type = Sweeper;
  static inline asio::execution_context::id id;

  explicit Sweeper(asio::execution_context& context)
      : service(context), timer_(static_cast<asio::io_context&>(context)) {}

  std::list<Swept*>::iterator add(Swept* swept) {
    streams_.push_back(swept);
    if (!armed_) arm();
    return std::prev(streams_.end());
  }
  void remove(std::list<Swept*>::iterator position) {
    if (next_ == position) ++next_;
    streams_.erase(position);
    if (streams_.empty() && armed_) timer_.cancel();
  }

 private:
  void shutdown() override { timer_.cancel(); }

  void arm() {
    armed_ = true;
    timer_.expires_after(kSweepInterval);
    timer_.async_wait([this](const error_code& error) {
      armed_ = false;
      if (!error) sweep();
      if (!streams_.empty() && error != asio::error::operation_aborted) arm();
    });
  }

  void sweep() {
    const auto now = Clock::now();
    for (next_ = streams_.begin(); next_ != streams_.end();) {
      Swept* swept = *next_++;
      if (swept->deadline <= now) swept->expire();
    }
  }

  asio::steady_timer timer_;
  std::list<Swept*> streams_;
  std::list<Swept*>::iterator next_ = streams_.end();
  bool armed_ = false;
};

Error io_error(const error_code& error, bool expired, std::string_view what) {
  if (expired) return {Code::kDeadlineExceeded, fmt::format("{}: timed out", what), {}};
  if (error == asio::error::operation_aborted) {
    return {Code::kCancelled, fmt::format("{}: cancelled", what), {}};
  }
  return {Code::kUnavailable, fmt::format("{}: {}", what, error.message()), {}};
}

}  // namespace

struct Stream::State final : Swept {
  State(asio::io_context& context, Socket s)
      : socket(std::move(s)), sweeper(asio::use_service<Sweeper>(context)) {
    position = sweeper.add(this);
  }
  ~State() override { sweeper.remove(position); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void expire() override {
    expired = true;
    deadline = kNever;
    error_code ignored;
    socket.shutdown(Socket::shutdown_both, ignored);
    socket.cancel(ignored);
  }

  Socket socket;
  std::unique_ptr<asio::ssl::stream<Socket&>> tls;
  Sweeper& sweeper;
  std::list<Swept*>::iterator position;
  bool expired = false;
  std::string peer;  // empty until asked for
};

Stream::Stream(std::unique_ptr<State> state) : state_(std::move(state)) {}
Stream::~Stream() = default;

namespace {

Socket adopt_socket(asio::io_context& context, base::UniqueFd fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  if (address.ss_family != AF_UNIX) {
    const int on = 1;
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  }
  Socket socket(context);
  socket.assign(asio::generic::stream_protocol(address.ss_family, 0), fd.release());
  socket.non_blocking(true);
  return socket;
}

Task<Result<base::UniqueFd>> connect_tcp(asio::io_context& context, Endpoint endpoint,
                                         std::chrono::milliseconds timeout) {
  asio::ip::tcp::resolver resolver(context);
  auto [resolve_error, addresses] =
      co_await resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), kToken);
  if (resolve_error) {
    co_return fail(Code::kUnavailable,
                   fmt::format("resolving {}: {}", endpoint.host, resolve_error.message()));
  }
  // Resolving can't be cancelled: a task that was has to learn it here, the next wait would throw.
  const auto cancellation = co_await asio::this_coro::cancellation_state;
  if (cancellation.cancelled() != asio::cancellation_type::none) {
    co_return fail(Code::kCancelled, fmt::format("connecting to {}: cancelled", endpoint.host));
  }
  // Shared with the timer: its call may be queued already when the connection stands.
  struct Attempt {
    asio::ip::tcp::socket socket;
    bool expired = false;
    bool over = false;
  };
  const auto attempt = std::make_shared<Attempt>(Attempt{asio::ip::tcp::socket(context)});
  asio::steady_timer timer(context, timeout);
  timer.async_wait([attempt](const error_code& error) {
    if (error || attempt->over) return;
    attempt->expired = true;
    error_code ignored;
    attempt->socket.close(ignored);
  });
  auto [error, at] = co_await asio::async_connect(attempt->socket, addresses, kToken);
  attempt->over = true;
  timer.cancel();
  if (error || attempt->expired) {
    co_return fail(io_error(error, attempt->expired,
                            fmt::format("connecting to {}:{}", endpoint.host, endpoint.port)));
  }
  co_return base::UniqueFd(attempt->socket.release());
}

Task<Result<base::UniqueFd>> connect_unix(asio::io_context& context, Endpoint endpoint) {
  asio::local::stream_protocol::socket socket(context);
  auto [error] = co_await socket.async_connect(
      asio::local::stream_protocol::endpoint(endpoint.unix_path), kToken);
  if (error) {
    co_return fail(io_error(error, false, fmt::format("connecting to {}", endpoint.unix_path)));
  }
  co_return base::UniqueFd(socket.release());
}

}  // namespace

std::unique_ptr<Stream> Stream::adopt(async::Loop& loop, base::UniqueFd socket) {
  auto& context = loop.context();
  return std::unique_ptr<Stream>(
      new Stream(std::make_unique<State>(context, adopt_socket(context, std::move(socket)))));
}

Task<Result<std::unique_ptr<Stream>>> Stream::connect(async::Loop& loop, Endpoint endpoint,
                                                      std::chrono::milliseconds timeout,
                                                      const TlsContext* tls, std::string tls_name) {
  auto fd = endpoint.unix_path.empty() ? co_await connect_tcp(loop.context(), endpoint, timeout)
                                       : co_await connect_unix(loop.context(), endpoint);
  if (!fd) co_return fail(fd.error());
  auto stream = adopt(loop, std::move(*fd));
  if (tls != nullptr) {
    State& state = *stream->state_;
    state.tls = std::make_unique<asio::ssl::stream<Socket&>>(state.socket, tls->native());
    SSL_set_tlsext_host_name(state.tls->native_handle(), tls_name.c_str());
    state.tls->set_verify_callback(asio::ssl::host_name_verification(tls_name));
    stream->expire_after(timeout);
    const auto [error] =
        co_await state.tls->async_handshake(asio::ssl::stream_base::client, kToken);
    stream->never_expire();
    if (error) {
      co_return fail(io_error(error, state.expired, fmt::format("TLS with {}", tls_name)));
    }
  }
  co_return stream;
}

Task<Status> Stream::accept_tls(const TlsContext& tls) {
  state_->tls = std::make_unique<asio::ssl::stream<Socket&>>(state_->socket, tls.native());
  const auto [error] =
      co_await state_->tls->async_handshake(asio::ssl::stream_base::server, kToken);
  if (error) co_return fail(io_error(error, state_->expired, "TLS handshake"));
  co_return Status();
}

Task<Result<std::size_t>> Stream::read_some(char* data, std::size_t size) {
  const auto buffer = asio::buffer(data, size);
  auto [error, got] = state_->tls ? co_await state_->tls->async_read_some(buffer, kToken)
                                  : co_await state_->socket.async_read_some(buffer, kToken);
  if (!error) co_return got;
  const bool ended = error == asio::error::eof || error == asio::ssl::error::stream_truncated;
  if (ended && !state_->expired) co_return std::size_t{0};
  co_return fail(io_error(error, state_->expired, "reading"));
}

Task<Status> Stream::write(std::string_view first, std::string_view second) {
  std::array<asio::const_buffer, 2> buffers{asio::buffer(first.data(), first.size()),
                                            asio::buffer(second.data(), second.size())};
  if (state_->tls) {
    const auto [error, put] = co_await asio::async_write(*state_->tls, buffers, kToken);
    if (error) co_return fail(io_error(error, state_->expired, "writing"));
    co_return Status();
  }
  // Most writes fit the socket's buffer: try at once, wait only for the rest.
  error_code error;
  std::size_t put = state_->socket.write_some(buffers, error);
  if (!error && put == first.size() + second.size()) co_return Status();
  if (error && error != asio::error::would_block && error != asio::error::try_again) {
    co_return fail(io_error(error, state_->expired, "writing"));
  }
  if (error) put = 0;
  for (auto& buffer : buffers) {
    const std::size_t part = std::min(put, buffer.size());
    buffer += part;
    put -= part;
  }
  const auto [rest_error, rest] = co_await asio::async_write(state_->socket, buffers, kToken);
  if (rest_error) co_return fail(io_error(rest_error, state_->expired, "writing"));
  co_return Status();
}

Task<Result<std::size_t>> Stream::write_until_answered(std::string_view data) {
  using namespace asio::experimental::awaitable_operators;
  Socket& socket = state_->socket;
  std::size_t put = 0;
  while (put < data.size()) {
    error_code error;
    put += socket.write_some(asio::buffer(data.substr(put)), error);
    if (error == asio::error::would_block || error == asio::error::try_again) {
      const auto first = co_await (socket.async_wait(Socket::wait_write, kToken) ||
                                   socket.async_wait(Socket::wait_read, kToken));
      error = std::visit([](const auto& outcome) { return std::get<0>(outcome); }, first);
      if (!error && first.index() == 1) co_return put;
    }
    if (error) co_return fail(io_error(error, state_->expired, "writing"));
  }
  co_return put;
}

void Stream::expire_after(std::chrono::milliseconds duration) {
  state_->deadline = Clock::now() + duration;
}
void Stream::never_expire() { state_->deadline = kNever; }
Clock::time_point Stream::deadline() const { return state_->deadline; }

bool Stream::end_writing() {
  error_code ignored;
  if (!state_->tls) state_->socket.shutdown(Socket::shutdown_send, ignored);
  return !state_->tls;
}

bool Stream::ended_by_peer() const {
  pollfd entry{fd(), POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) > 0;
}

void Stream::close() {
  error_code ignored;
  if (!state_->socket.is_open()) return;
  state_->socket.shutdown(Socket::shutdown_both, ignored);
  state_->socket.close(ignored);
}

bool Stream::is_open() const { return state_->socket.is_open() && !state_->expired; }

int Stream::fd() const { return state_->socket.native_handle(); }

namespace {

std::string peer_of(const Socket& socket) {
  error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error || remote.protocol().family() == AF_UNIX) return "unix";
  asio::ip::tcp::endpoint address;
  if (remote.size() > address.capacity()) return "";
  std::memcpy(address.data(), remote.data(), remote.size());
  address.resize(remote.size());
  return fmt::format("{}:{}", address.address().to_string(), address.port());
}

}  // namespace

const std::string& Stream::peer_address() const {
  if (state_->peer.empty()) state_->peer = peer_of(state_->socket);
  return state_->peer;
}

std::string Stream::tls_peer_subject() const {
  if (!state_->tls) return {};
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(
      SSL_get1_peer_certificate(state_->tls->native_handle()), &X509_free);
  if (!certificate) return {};
  char text[512] = {};
  X509_NAME_oneline(X509_get_subject_name(certificate.get()), text, sizeof text);
  return text;
}

}  // namespace hearth::http
