#include "emulator/gateway/gateway.h"

#include <algorithm>

#include <fmt/format.h>

#include "emulator/gateway/activator.h"
#include "platform/async/loop.h"
#include "platform/async/task_group.h"
#include "platform/base/json.h"
#include "platform/base/limits.h"
#include "platform/base/snapshot.h"
#include "platform/base/text.h"
#include "platform/http/stream.h"
#include "platform/http/trusted_hosts.h"

namespace hearth::gateway {

struct Gateway::State {
  State(async::Loop& l, GatewayHooks h)
      : loop(l),
        hooks(std::move(h)),
        activator(l, hooks.need_instance),
        table(std::make_shared<const RouteTable>()) {}

  RevisionPtr choose(const Route& route) {
    return route.pick(static_cast<std::int64_t>(dice++ * 37 % 100));
  }
  struct Match {
    std::shared_ptr<const Route> route;
    std::optional<std::string> target;  // without the prefix that chose the route
    bool has_targets() const { return route && !route->targets.empty(); }
    bool is_by_host() const { return route && !target; }
  };
  Match match(const http::RequestHead& head) const;
  Match settled_match(const http::RequestHead& head) const;
  std::shared_ptr<const Route> settled_route(const std::string& host) const;
  bool answers(const http::RequestHead& head) const;
  Task<void> refuse_foreign(http::Exchange& exchange);
  Task<void> forward(http::Exchange& exchange, std::shared_ptr<const Route> route,
                     RevisionPtr revision);
  Task<Status> relay(http::Exchange& exchange, InstanceConnection& connection, bool cold);
  Task<Status> tunnel(http::Exchange& exchange, InstanceConnection& connection,
                      http::ResponseHead head);
  Task<void> fail_request(http::Exchange& exchange, const Error& error);
  Task<void> blame_client(http::Exchange& exchange, const Error& error);
  Task<void> blame_instance(http::Exchange& exchange, const std::string& instance,
                            const Error& error);

  async::Loop& loop;
  GatewayHooks hooks;
  Activator activator;
  base::Snapshot<RouteTable> table;
  std::uint64_t dice = 0;
};

namespace {

// Counts a request as in flight for the autoscaler, from its arrival to its end.
class InFlight {
 public:
  explicit InFlight(RevisionPtr revision) : revision_(std::move(revision)) {
    revision_->in_flight.fetch_add(1, std::memory_order_relaxed);
    revision_->arrivals.fetch_add(1, std::memory_order_relaxed);
  }
  ~InFlight() { revision_->in_flight.fetch_sub(1, std::memory_order_relaxed); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  RevisionPtr revision_;
};

// Records what became of a request when it ends, also when it was cut off.
class Observation {
 public:
  Observation(http::Exchange& exchange, Revision& revision)
      : exchange_(exchange), revision_(revision) {
    exchange_.notes().revision = revision.settings().name;
  }
  ~Observation() {
    // 499: the client went before there was an answer (nginx's code for it).
    const int status = exchange_.status() == 0 ? 499 : exchange_.status();
    revision_.metrics.requests.observe(status,
                                       std::chrono::steady_clock::now() - exchange_.started());
  }
  Observation(const Observation&) = delete;
  Observation& operator=(const Observation&) = delete;

 private:
  http::Exchange& exchange_;
  Revision& revision_;
};

constexpr std::string_view kFunctionPath = "/function/";

// "name.namespace" and what begins with it; no address.
bool is_function_host(std::string_view host) {
  return host.contains('.') && !(host.front() >= '0' && host.front() <= '9');
}

int status_of(const Error& error) {
  switch (error.code) {
    case Code::kDeadlineExceeded:
      return 504;
    case Code::kRateLimited:
    case Code::kExpired:
      return 503;
    case Code::kTooLarge:
      return 413;
    case Code::kBadRequest:
      return 400;
    default:
      return 502;
  }
}

}  // namespace

Gateway::Gateway(async::Loop& loop, GatewayHooks hooks)
    : state_(std::make_shared<State>(loop, std::move(hooks))) {}
Gateway::~Gateway() = default;

void Gateway::publish(std::shared_ptr<const RouteTable> table) {
  state_->table.store(table);
  state_->loop.post(
      [state = state_, table = std::move(table)] { state->activator.follow(*table); });
}

std::shared_ptr<const RouteTable> Gateway::table() const { return state_->table.load(); }

void Gateway::instances_changed(const std::string& revision_key) {
  state_->loop.post([state = state_, revision_key] { state->activator.wake(revision_key); });
}

// By Host; or by path: /function/{namespace}/{name}/rest, the prefix is taken off.
Gateway::State::Match Gateway::State::match(const http::RequestHead& head) const {
  const auto current = table.load();
  if (const auto it = current->by_host.find(head.host()); it != current->by_host.end()) {
    return {it->second, std::nullopt};
  }
  if (!head.target.starts_with(kFunctionPath)) return {};
  const std::string rest = head.target.substr(kFunctionPath.size());
  const auto first = rest.find('/');
  if (first == std::string::npos) return {};
  const auto second = rest.find_first_of("/?", first + 1);
  const auto it = current->by_name.find(rest.substr(0, second));
  if (it == current->by_name.end()) return {};
  std::string target = second == std::string::npos ? "/" : rest.substr(second);
  if (!target.starts_with('/')) target.insert(0, 1, '/');
  return {it->second, std::move(target)};
}

// The table may be behind the objects: what is Ready is answered by all the same.
std::shared_ptr<const Route> Gateway::State::settled_route(const std::string& host) const {
  const auto find = [&]() -> std::shared_ptr<const Route> {
    const auto current = table.load();
    const auto it = current->by_host.find(host);
    return it == current->by_host.end() ? nullptr : it->second;
  };
  auto route = find();
  if (route && !route->targets.empty()) return route;
  if (!hooks.route_missing || !is_function_host(host)) return route;
  hooks.route_missing();
  return find();
}

Gateway::State::Match Gateway::State::settled_match(const http::RequestHead& head) const {
  Match found = match(head);
  if (!found.has_targets() && hooks.route_missing &&
      (is_function_host(head.host()) || head.target.starts_with(kFunctionPath))) {
    hooks.route_missing();
    found = match(head);
  }
  return found;
}

bool Gateway::State::answers(const http::RequestHead& head) const {
  return hooks.hosts == nullptr || hooks.hosts->trusts(head.headers.get_or("host", ""));
}

namespace {

// ":8080" of a request's Host field.
std::string port_of(const http::RequestHead& head) {
  const std::string host(head.headers.get_or("host", ""));
  const auto colon = host.rfind(':');
  return colon == host.npos || host.ends_with(']') ? std::string() : host.substr(colon);
}

// "NAME.NAMESPACE" without a domain: what hosts of functions may be shortened to.
bool is_short_name(std::string_view host) { return std::ranges::count(host, '.') == 1; }

std::string near_hosts(const http::RequestHead& head, const RouteTable& table) {
  const std::string host = head.host();
  const auto parts = base::split(host, '.');
  if (parts.size() < 2) return {};
  std::string text;
  for (const std::string& near : table.near_misses(parts[1], parts[0])) {
    text +=
        fmt::format("did you mean http://{}.{}.localhost{}/ ?\n", near, parts[1], port_of(head));
  }
  return text;
}

std::string near_paths(const http::RequestHead& head, const RouteTable& table) {
  const auto parts = base::split(head.path().substr(kFunctionPath.size()), '/');
  if (parts.size() < 2) return {};
  std::string text;
  for (const std::string& near : table.near_misses(parts[0], parts[1])) {
    text += fmt::format("did you mean {}{}/{}/ ?\n", kFunctionPath, parts[0], near);
  }
  return text;
}

// What was asked for, and what is called nearly the same: in the form that was used.
Task<void> refuse_unknown(http::Exchange& exchange, std::string near) {
  const http::RequestHead& head = exchange.request();
  http::ResponseHead answer{.status = 404, .headers = {}};
  answer.headers.add("Content-Type", "text/plain; charset=utf-8");
  answer.headers.add("X-Content-Type-Options", "nosniff");
  (void)co_await exchange.respond(
      answer, fmt::format("no function answers to host \"{}\", path \"{}\"\n{}", head.host(),
                          head.path(), near));
}

// To forward it would be worse: a client takes any 2xx for a tunnel (RFC 9110 §9.3.6).
Task<void> refuse_tunnel(http::Exchange& exchange) {
  exchange.close_after();
  (void)co_await exchange.respond(501, "text/plain; charset=utf-8",
                                  "CONNECT is not supported: this is no proxy\n");
}

}  // namespace

bool Gateway::serves(const std::string& host) { return state_->settled_route(host) != nullptr; }

// A host that is nearly the short name of a function is taken for a slip. It is answered with such
// names at most: whoever owns a like name outside gets nowhere by it.
Task<void> Gateway::State::refuse_foreign(http::Exchange& exchange) {
  const http::RequestHead& head = exchange.request();
  std::string near = is_short_name(head.host()) ? near_hosts(head, *table.load()) : std::string();
  if (near.empty())
    co_await hooks.hosts->refuse(exchange);
  else
    co_await refuse_unknown(exchange, std::move(near));
}

Task<void> Gateway::handle(http::Exchange& exchange) {
  const auto state = state_;
  if (exchange.request().method == "CONNECT") {
    co_await refuse_tunnel(exchange);
    co_return;
  }
  State::Match found = state->settled_match(exchange.request());
  if (!found.is_by_host() && !state->answers(exchange.request())) {
    co_await state->refuse_foreign(exchange);
    co_return;
  }
  if (found.target) exchange.request().target = std::move(*found.target);
  if (const auto route = std::move(found.route)) {
    RevisionPtr revision = state->choose(*route);
    if (revision) {
      co_await state->forward(exchange, route, std::move(revision));
      co_return;
    }
    (void)co_await exchange.respond(
        503, "text/plain; charset=utf-8",
        fmt::format("{}/{} has no ready revision yet\n", route->ns, route->name));
    co_return;
  }
  if (state->hooks.other && co_await state->hooks.other(exchange)) co_return;
  const http::RequestHead& head = exchange.request();
  const auto table = state->table.load();
  co_await refuse_unknown(exchange, head.target.starts_with(kFunctionPath)
                                        ? near_paths(head, *table)
                                        : near_hosts(head, *table));
}

Task<void> Gateway::State::fail_request(http::Exchange& exchange, const Error& error) {
  if (exchange.responded() || error.code == Code::kCancelled) {  // or nobody is there to read it
    exchange.stream().close();
    co_return;
  }
  http::ResponseHead head{.status = status_of(error), .headers = {}};
  head.headers.add("Content-Type", "text/plain; charset=utf-8");
  head.headers.add("X-Content-Type-Options", "nosniff");
  if (head.status == 503) head.headers.add("Retry-After", "1");
  (void)co_await exchange.respond(head, error.message + "\n");
}

// It broke off its request, or stalled until its stream expired.
Task<void> Gateway::State::blame_client(http::Exchange& exchange, const Error& error) {
  if (error.code != Code::kDeadlineExceeded || exchange.responded()) {
    co_await fail_request(exchange, error);
    co_return;
  }
  exchange.close_after();
  (void)co_await exchange.respond(408, "text/plain; charset=utf-8", "the request stalled\n");
}

Task<void> Gateway::State::blame_instance(http::Exchange& exchange, const std::string& instance,
                                          const Error& error) {
  activator.forget(instance);
  if (error.code != Code::kDeadlineExceeded) {
    co_await fail_request(exchange, error);
    co_return;
  }
  hooks.instance_broken(instance, "a request timed out", exchange.trace_id());
  co_await fail_request(exchange, {Code::kDeadlineExceeded, "request timeout", {}});
}

Task<void> Gateway::State::forward(http::Exchange& exchange, std::shared_ptr<const Route> route,
                                   RevisionPtr revision) {
  const InFlight counted(revision);
  const Observation observed(exchange, *revision);
  (void)exchange.trace_id();
  bool& cold = exchange.notes().cold;
  auto place = co_await activator.acquire(revision,
                                          {.route = std::move(route),
                                           .timeout = revision->settings().timeout,
                                           .client = &exchange.stream()},
                                          cold);
  if (!place) {
    co_await fail_request(exchange, place.error());
    co_return;
  }
  if (cold) {
    revision->metrics.cold_starts.observe(std::chrono::steady_clock::now() - exchange.started());
  }
  auto connection = co_await activator.connect(place->instance());
  if (!connection) {
    hooks.instance_broken(place->instance()->id, connection.error().message, exchange.trace_id());
    co_await fail_request(exchange, connection.error());
    co_return;
  }
  bool client_failed = false;
  (*connection)->expire_after(revision->settings().timeout);
  Status done = co_await (*connection)->send_request(exchange, client_failed);
  if (done) done = co_await relay(exchange, **connection, cold);
  if (!done) {
    if (client_failed || !exchange.stream().is_open()) {
      co_await blame_client(exchange, done.error());
    } else {
      co_await blame_instance(exchange, place->instance()->id, done.error());
    }
    co_return;
  }
  (*connection)->stream().never_expire();
  if ((*connection)->reusable()) activator.keep(*place->instance(), std::move(*connection));
}

// The response, cut through: a small one is one write, a large one is passed on piece by piece.
Task<Status> Gateway::State::relay(http::Exchange& exchange, InstanceConnection& connection,
                                   bool cold) {
  HEARTH_CO_TRY(start, co_await connection.read_head());
  if (start.head.status == 101) co_return co_await tunnel(exchange, connection, start.head);
  if (cold) start.head.headers.add("X-Hearth-Cold-Start", "true");
  if (start.end) co_return co_await exchange.respond(start.head, "");
  HEARTH_CO_TRY(first, co_await connection.read_piece());
  if (first.end) co_return co_await exchange.respond(start.head, first.data);
  const auto length =
      base::parse_int<std::uint64_t>(start.head.headers.get_or("content-length", ""));
  HEARTH_CO_CHECK_OK(co_await exchange.begin(start.head, length));
  HEARTH_CO_CHECK_OK(co_await exchange.write(first.data));
  while (true) {
    HEARTH_CO_TRY(piece, co_await connection.read_piece());
    HEARTH_CO_CHECK_OK(co_await exchange.write(piece.data));
    if (piece.end) co_return co_await exchange.finish();
  }
}

namespace {

// Until one side ends; then both are ended.
Task<void> pump(http::Stream& from, http::Stream& to) {
  std::string piece(16 * 1024, '\0');
  while (true) {
    const auto got = co_await from.read_some(piece.data(), piece.size());
    if (!got || *got == 0) break;
    if (!co_await to.write(std::string_view(piece).substr(0, *got))) break;
  }
  from.close();
  to.close();
}

}  // namespace

// 101 Switching Protocols (WebSocket): bytes go both ways until one side ends. The request counts
// as running all the while, so that its instance stays.
Task<Status> Gateway::State::tunnel(http::Exchange& exchange, InstanceConnection& connection,
                                    http::ResponseHead head) {
  std::string buffered;
  HEARTH_CO_CHECK_OK(co_await exchange.upgrade(head, buffered));
  connection.stream().never_expire();
  async::TaskGroup answers(loop);
  answers.spawn(pump(connection.stream(), exchange.stream()));
  co_await pump(exchange.stream(), connection.stream());
  co_await answers.drain();
  co_return Status();
}

Task<Result<http::Response>> Gateway::request(std::string host, http::RequestHead head,
                                              std::string body, std::chrono::milliseconds timeout) {
  const auto state = state_;
  const auto route = state->settled_route(host);
  if (!route) {
    co_return fail(Code::kNotFound, fmt::format("no function answers to host \"{}\"", host));
  }
  const RevisionPtr revision = state->choose(*route);
  if (!revision) co_return fail(Code::kUnavailable, host + " has no ready revision yet");
  const InFlight counted(revision);
  bool cold = false;
  const auto started = std::chrono::steady_clock::now();
  timeout = std::min(timeout, revision->settings().timeout);
  HEARTH_CO_TRY(place, co_await state->activator.acquire(
                           revision, {.route = route, .timeout = timeout}, cold));
  if (cold) revision->metrics.cold_starts.observe(std::chrono::steady_clock::now() - started);
  HEARTH_CO_TRY(connection, co_await state->activator.connect(place.instance()));
  connection->expire_after(timeout);
  HEARTH_CO_CHECK_OK(co_await connection->send_request(head, body));
  HEARTH_CO_TRY(start, co_await connection->read_head());
  http::Response response{std::move(start.head), {}};
  bool end = start.end;
  while (!end) {
    HEARTH_CO_TRY(piece, co_await connection->read_piece());
    response.body += piece.data;
    end = piece.end;
    if (response.body.size() > limits::kInvokeBodyBytesMax) {
      co_return fail(Code::kTooLarge, "the response is too large for an event");
    }
  }
  connection->stream().never_expire();
  if (connection->reusable()) state->activator.keep(*place.instance(), std::move(connection));
  revision->metrics.requests.observe(response.head.status,
                                     std::chrono::steady_clock::now() - started);
  co_return response;
}

}  // namespace hearth::gateway
