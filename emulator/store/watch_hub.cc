#include "emulator/store/watch_hub.h"

#include <algorithm>
#include <deque>

#include "platform/async/loop.h"
#include "platform/async/signal.h"
#include "platform/base/limits.h"

namespace hearth::store {

using resource::WatchEvent;

struct WatchHub::State {
  explicit State(async::Loop& l) : loop(l) {}
  async::Loop& loop;
  std::list<Subscription*> subscriptions;
  bool closed = false;
  std::uint64_t published = 0;
};

class WatchHub::Subscription final : public resource::Watch {
 public:
  Subscription(std::shared_ptr<State> hub, Scope scope, std::uint64_t after,
               std::vector<WatchEvent> replay)
      : hub_(std::move(hub)), scope_(std::move(scope)), after_(after), signal_(hub_->loop) {
    for (WatchEvent& event : replay) queue_.push_back(std::move(event));
    queue_max_ = queue_.size() + limits::kWatchQueueMax;
    hub_->subscriptions.push_back(this);
    position_ = std::prev(hub_->subscriptions.end());
  }
  ~Subscription() override { hub_->subscriptions.erase(position_); }

  Task<Result<WatchEvent>> next() override {
    while (queue_.empty()) {
      if (overflowed_) co_return fail(Code::kExpired, "the watcher was too slow: list again");
      if (hub_->closed) co_return fail(Code::kCancelled, "the store is closing");
      if (!co_await signal_.wait()) co_return fail(Code::kCancelled, "watch cancelled");
    }
    WatchEvent event = std::move(queue_.front());
    queue_.pop_front();
    told_ = std::max(told_, event.resource_version);
    co_return event;
  }

  // Nothing waits: whatever was published is told, or did not concern this watcher.
  std::uint64_t version() const override {
    return queue_.empty() && !overflowed_ ? std::max({told_, after_, hub_->published}) : told_;
  }

  void offer(const Change& change) {
    if (overflowed_ || change.resource_version <= after_ || change.group != scope_.group ||
        change.plural != scope_.plural)
      return;
    auto event = event_of(scope_, change);
    if (!event) return;
    queue_.push_back(std::move(*event));
    if (queue_.size() > queue_max_) {
      queue_.clear();
      overflowed_ = true;
    }
    signal_.notify();
  }

  void wake() { signal_.notify(); }

 private:
  std::shared_ptr<State> hub_;
  Scope scope_;
  std::uint64_t after_;
  std::uint64_t told_ = 0;
  std::deque<WatchEvent> queue_;
  async::Signal signal_;
  std::list<Subscription*>::iterator position_;
  bool overflowed_ = false;
  std::size_t queue_max_ = 0;
};

bool Scope::matches(const Json& object) const {
  if (!ns.empty() && resource::namespace_of(object) != ns) return false;
  return labels.matches(object) && fields.matches(object);
}

std::optional<WatchEvent> event_of(const Scope& scope, const Change& change) {
  const bool gone = change.type == WatchEvent::Type::kDeleted;
  const bool now = !gone && scope.matches(*change.object);
  const bool before = change.previous && scope.matches(*change.previous);
  if (!now && !before) return std::nullopt;
  if (now) {
    return WatchEvent{before ? WatchEvent::Type::kModified : WatchEvent::Type::kAdded,
                      change.object, change.resource_version};
  }
  if (gone) return WatchEvent{WatchEvent::Type::kDeleted, change.object, change.resource_version};
  Json last = *change.previous;
  last["metadata"]["resourceVersion"] = std::to_string(change.resource_version);
  return WatchEvent{WatchEvent::Type::kDeleted, std::make_shared<const Json>(std::move(last)),
                    change.resource_version};
}

WatchHub::WatchHub(async::Loop& loop) : state_(std::make_shared<State>(loop)) {}
WatchHub::~WatchHub() { close(); }

std::unique_ptr<resource::Watch> WatchHub::subscribe(Scope scope, std::uint64_t after,
                                                     std::vector<WatchEvent> replay) {
  return std::make_unique<Subscription>(state_, std::move(scope), after, std::move(replay));
}

void WatchHub::publish(const Change& change) {
  state_->published = change.resource_version;
  for (Subscription* subscription : state_->subscriptions) {
    subscription->offer(change);
  }
}

void WatchHub::close() {
  state_->closed = true;
  for (Subscription* subscription : state_->subscriptions) subscription->wake();
}

std::size_t WatchHub::size() const { return state_->subscriptions.size(); }

}  // namespace hearth::store
