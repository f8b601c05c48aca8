#include "emulator/gateway/activator.h"

#include <list>

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

bool closed_by_peer(int fd) {
  pollfd entry{fd, POLLIN | POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) != 0;
}

}  // namespace

struct Activator::Waiter {
  Waiter(async::Loop& loop, RevisionPtr r) : signal(loop), revision(std::move(r)) {
    revision->metrics.queued.add(1);
  }
  ~Waiter() { revision->metrics.queued.add(-1); }
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  async::Signal signal;
  RevisionPtr revision;
};

struct Activator::RevisionState {
  std::list<Waiter*> waiting;  // first come, first served
  std::size_t next = 0;        // round robin
};

struct Activator::InstanceState {
  struct Idle {
    std::unique_ptr<InstanceConnection> connection;
    std::chrono::steady_clock::time_point since;
  };
  std::int64_t running = 0;
  std::vector<Idle> idle;
};

Activator::Activator(async::Loop& loop, std::function<void(const RevisionPtr&)> need_instance)
    : loop_(loop), need_instance_(std::move(need_instance)) {}
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

Activator::RevisionState& Activator::state_of(const std::string& revision) {
  auto& slot = revisions_[revision];
  if (!slot) slot = std::make_unique<RevisionState>();
  return *slot;
}

// Knative: CC 0 least loaded, 1–3 first free, more round robin.
InstancePtr Activator::take(const RevisionPtr& revision) {
  const auto instances = revision->instances();
  if (instances->empty()) return nullptr;
  const std::int64_t limit = revision->settings().concurrency;
  RevisionState& state = state_of(revision->key());
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
  if (!slot) slot = std::make_unique<InstanceState>();
  ++slot->running;
  best->requests->fetch_add(1, std::memory_order_relaxed);
  return {instances, best};  // the snapshot lives as long as the handle
}

Task<Result<Activator::Place>> Activator::acquire(RevisionPtr revision,
                                                  std::chrono::milliseconds timeout,
                                                  bool& was_cold) {
  RevisionState& state = state_of(revision->key());
  if (state.waiting.empty()) {
    if (auto instance = take(revision)) co_return Place(*this, revision, std::move(instance));
  }
  if (state.waiting.size() >= limits::kRequestsQueuedPerRevisionMax) {
    co_return fail(Code::kRateLimited, "pending request queue full");
  }
  was_cold = revision->instances()->empty();
  need_instance_(revision);
  Waiter waiter(loop_, revision);
  state.waiting.push_back(&waiter);
  const auto position = std::prev(state.waiting.end());
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (true) {
    const auto left = deadline - std::chrono::steady_clock::now();
    const bool woken = left.count() > 0 && co_await waiter.signal.wait_for(left);
    auto instance = woken ? take(revision) : nullptr;
    if (instance) {
      state.waiting.erase(position);
      co_return Place(*this, revision, std::move(instance));
    }
    if (!woken) {
      state.waiting.erase(position);
      co_return fail(Code::kDeadlineExceeded, "activator request timeout");
    }
  }
}

void Activator::wake(const std::string& revision) {
  const auto it = revisions_.find(revision);
  if (it == revisions_.end()) return;
  for (Waiter* waiter : it->second->waiting) waiter->signal.notify();
}

void Activator::release(const std::string& revision, const std::string& instance) {
  if (const auto it = instances_.find(instance); it != instances_.end()) --it->second->running;
  const auto it = revisions_.find(revision);
  if (it != revisions_.end() && !it->second->waiting.empty()) {
    it->second->waiting.front()->signal.notify();
  }
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
  if (it == instances_.end() || it->second->idle.size() >= kIdleConnectionsMax) return;
  it->second->idle.push_back({std::move(connection), std::chrono::steady_clock::now()});
}

void Activator::forget(const std::string& instance_id) {
  const auto it = instances_.find(instance_id);
  if (it == instances_.end()) return;
  it->second->idle.clear();
  if (it->second->running == 0) instances_.erase(it);
}

}  // namespace hearth::gateway
