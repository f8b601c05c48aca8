#include "emulator/gateway/activator.h"

#include <algorithm>
#include <list>

#include <fmt/format.h>
#include <poll.h>

#include "platform/async/loop.h"
#include "platform/async/signal.h"
#include "platform/base/limits.h"

namespace hearth::gateway {
namespace {

constexpr std::size_t kIdleConnectionsMax = 64;

// A connection that rested no longer than this is not asked whether it still lives: the question is
// a system call a request, and an instance that just died is found out by the next write.
constexpr auto kTrustedRest = std::chrono::milliseconds(20);

Error gone_error(const Revision& revision) {
  return {Code::kExpired,
          fmt::format("{} was deleted or replaced while the request waited for it", revision.key()),
          {}};
}

bool closed_by_peer(int fd) {
  pollfd entry{fd, POLLIN | POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) != 0;
}

}  // namespace

struct Activator::RevisionState {
  std::weak_ptr<Revision> revision;
  std::list<Waiter*> waiting;  // first come, first served
  std::size_t next = 0;        // round robin

  // A place may be free. Whoever leaves the list calls this too: what he was told, or was about to
  // find out, is the next one's now.
  void wake_first();
};

struct Activator::Waiter {
  Waiter(async::Loop& loop, RevisionPtr r, RevisionState& s, std::shared_ptr<const Route> by)
      : signal(loop),
        revision(std::move(r)),
        state(s),
        route(std::move(by)),
        position(state.waiting.insert(state.waiting.end(), this)) {
    revision->metrics.queued.add(1);
  }
  ~Waiter() {
    revision->metrics.queued.add(-1);
    if (gone) return;
    state.waiting.erase(position);
    state.wake_first();
  }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Whoever calls this takes it from its list; its state may soon be another revision's, or none.
  void give_up() {
    gone = true;
    signal.notify();
  }

  async::Signal signal;
  RevisionPtr revision;
  RevisionState& state;
  std::shared_ptr<const Route> route;
  std::list<Waiter*>::iterator position;
  bool gone = false;
};

void Activator::RevisionState::wake_first() {
  if (!waiting.empty()) waiting.front()->signal.notify();
}

struct Activator::InstanceState {
  explicit InstanceState(const RevisionPtr& r) : revision(r) {}

  struct Idle {
    std::unique_ptr<InstanceConnection> connection;
    std::chrono::steady_clock::time_point since;
  };
  std::weak_ptr<Revision> revision;
  std::int64_t running = 0;
  bool ended = false;  // its revision knows it no more
  std::vector<Idle> idle;
};

Activator::Activator(async::Loop& loop, std::function<void(const RevisionPtr&)> need_instance,
                     std::chrono::milliseconds client_interval)
    : loop_(loop), need_instance_(std::move(need_instance)), client_interval_(client_interval) {}
Activator::~Activator() = default;

Activator::Place::Place(Activator& activator, RevisionPtr revision, InstancePtr instance)
    : activator_(&activator), revision_(std::move(revision)), instance_(std::move(instance)) {}
Activator::Place::Place(Place&& other) noexcept
    : activator_(std::exchange(other.activator_, nullptr)),
      revision_(std::move(other.revision_)),
      instance_(std::move(other.instance_)) {}
Activator::Place::~Place() {
  if (activator_ == nullptr) return;
  instance_->requests->fetch_sub(1, std::memory_order_relaxed);
  activator_->release(revision_->key(), instance_->id);
}

// A function that was deleted and made again has a revision of the same name. Who waits for the old
// one must not stand before those who come for the new one.
Activator::RevisionState& Activator::state_of(const RevisionPtr& revision) {
  auto& slot = revisions_[revision->key()];
  if (!slot) slot = std::make_unique<RevisionState>();
  if (slot->revision.lock() != revision) {
    for (Waiter* waiter : std::exchange(slot->waiting, {})) waiter->give_up();
    slot->revision = revision;
  }
  return *slot;
}

// Knative: CC 0 least loaded, 1–3 first free, more round robin.
InstancePtr Activator::take(const RevisionPtr& revision, RevisionState& state) {
  const auto instances = revision->instances();
  if (instances->empty()) return nullptr;
  const std::int64_t limit = revision->settings().concurrency;
  const std::size_t start = limit > 3 ? state.next++ : 0;
  const InstanceEndpoint* best = nullptr;
  std::int64_t best_running = 0;
  for (std::size_t i = 0; i < instances->size(); ++i) {
    const InstanceEndpoint& candidate = (*instances)[(start + i) % instances->size()];
    const auto known = instances_.find(candidate.id);
    const std::int64_t running = known == instances_.end() ? 0 : known->second->running;
    if (limit > 0 && running >= limit) continue;
    if (best != nullptr && running >= best_running) continue;
    best = &candidate;
    best_running = running;
    if (limit > 0) break;
  }
  if (best == nullptr) return nullptr;
  auto& slot = instances_[best->id];
  if (!slot) slot = std::make_unique<InstanceState>(revision);
  ++slot->running;
  best->requests->fetch_add(1, std::memory_order_relaxed);
  return {instances, best};  // the snapshot lives as long as the handle
}

Task<Result<Activator::Place>> Activator::acquire(RevisionPtr revision, Wait wait, bool& was_cold) {
  if (revision->retired()) co_return fail(gone_error(*revision));
  RevisionState& state = state_of(revision);
  if (state.waiting.empty()) {
    if (auto instance = take(revision, state)) {
      co_return Place(*this, std::move(revision), std::move(instance));
    }
  }
  if (state.waiting.size() >= limits::kRequestsQueuedPerRevisionMax) {
    co_return fail(Code::kRateLimited, "pending request queue full");
  }
  was_cold = revision->instances()->empty();
  need_instance_(revision);
  Waiter waiter(loop_, revision, state, wait.route);
  auto instance = co_await wait_for_instance(waiter, std::move(wait));
  if (!instance) co_return fail(std::move(instance).error());
  co_return Place(*this, std::move(revision), std::move(*instance));
}

// First come, first served, also when somebody further behind wakes earlier.
InstancePtr Activator::take_in_turn(Waiter& waiter) {
  if (waiter.state.waiting.front() != &waiter) return nullptr;
  return take(waiter.revision, waiter.state);
}

// A place may have become free while he was about to wake for another reason: he looks each time.
Task<Result<InstancePtr>> Activator::wait_for_instance(Waiter& waiter, Wait wait) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + wait.timeout;
  for (auto now = Clock::now(); now < deadline; now = Clock::now()) {
    const auto until = wait.client ? std::min(deadline, now + client_interval_) : deadline;
    const bool woken = co_await waiter.signal.wait_for(until - now);
    if (!woken && Clock::now() < until) {
      co_return fail(Code::kCancelled, "the request was cancelled");
    }
    if (waiter.gone || waiter.revision->retired()) {
      co_return fail(gone_error(*waiter.revision));
    }
    if (auto instance = take_in_turn(waiter)) co_return instance;
    if (wait.client && wait.client->ended_by_peer()) {
      co_return fail(Code::kCancelled, "the client has gone");
    }
  }
  co_return fail(Code::kDeadlineExceeded, "activator request timeout");
}

namespace {

// Whether nobody who comes by the route now could get to the revision either. One that lost its
// traffic to a later one still lives, and answers who waits for it.
bool is_gone(const RevisionPtr& revision, const Route& route, const RouteTable& table) {
  if (revision->retired()) return true;
  const auto known = table.by_name.find(fmt::format("{}/{}", route.ns, route.name));
  if (known == table.by_name.end() || known->second->targets.empty()) return true;
  return std::ranges::any_of(known->second->targets, [&](const RouteTarget& target) {
    return target.revision != revision && target.revision->key() == revision->key();
  });
}

}  // namespace

void Activator::follow(const RouteTable& table) {
  std::erase_if(revisions_, [](const auto& entry) {
    return entry.second->waiting.empty() && entry.second->revision.expired();
  });
  for (auto& [key, state] : revisions_) {
    const std::size_t left = std::erase_if(state->waiting, [&](Waiter* waiter) {
      if (!is_gone(waiter->revision, *waiter->route, table)) return false;
      waiter->give_up();
      return true;
    });
    if (left > 0) state->wake_first();
  }
  drop_ended_instances();
}

namespace {

bool knows(const Revision& revision, const std::string& instance) {
  return std::ranges::any_of(*revision.instances(),
                             [&](const InstanceEndpoint& known) { return known.id == instance; });
}

}  // namespace

// Also of those that end later: their connections would hold descriptors for good.
void Activator::drop_ended_instances() {
  std::erase_if(instances_, [](auto& entry) {
    InstanceState& state = *entry.second;
    const RevisionPtr revision = state.revision.lock();
    state.ended = !revision || !knows(*revision, entry.first);
    if (state.ended) state.idle.clear();
    return state.ended && state.running == 0;
  });
}

void Activator::wake(const std::string& revision) {
  drop_ended_instances();
  const auto it = revisions_.find(revision);
  if (it == revisions_.end()) return;
  for (Waiter* waiter : it->second->waiting) waiter->signal.notify();
}

void Activator::release(const std::string& revision, const std::string& instance) {
  if (const auto known = instances_.find(instance); known != instances_.end()) {
    --known->second->running;
    if (known->second->ended && known->second->running == 0) instances_.erase(known);
  }
  const auto it = revisions_.find(revision);
  if (it != revisions_.end()) it->second->wake_first();
}

Task<Result<std::unique_ptr<InstanceConnection>>> Activator::connect(InstancePtr instance) {
  if (const auto it = instances_.find(instance->id); it != instances_.end()) {
    auto& idle = it->second->idle;
    while (!idle.empty()) {
      auto [connection, since] = std::move(idle.back());
      idle.pop_back();
      const bool trusted = std::chrono::steady_clock::now() - since < kTrustedRest;
      if (trusted || !closed_by_peer(connection->stream().fd())) co_return std::move(connection);
    }
  }
  const bool frames = !instance->socket_path.empty();
  HEARTH_CO_TRY(stream, co_await http::Stream::connect(loop_,
                                                       {.host = instance->host,
                                                        .port = instance->port,
                                                        .unix_path = instance->socket_path},
                                                       std::chrono::seconds(5)));
  co_return frames ? frame_connection(std::move(stream)) : http_connection(std::move(stream));
}

void Activator::keep(const InstanceEndpoint& instance,
                     std::unique_ptr<InstanceConnection> connection) {
  const auto it = instances_.find(instance.id);
  if (it == instances_.end() || it->second->ended) return;
  if (it->second->idle.size() >= kIdleConnectionsMax) return;
  it->second->idle.push_back({std::move(connection), std::chrono::steady_clock::now()});
}

void Activator::forget(const std::string& instance_id) {
  const auto it = instances_.find(instance_id);
  if (it != instances_.end()) it->second->idle.clear();
}

}  // namespace hearth::gateway
