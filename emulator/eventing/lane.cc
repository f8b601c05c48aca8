#include "emulator/eventing/lane.h"

#include <algorithm>
#include <exception>

#include "platform/telemetry/log.h"

namespace hearth::eventing {
namespace {

constexpr telemetry::Log kLog("eventing");
// The clock may be moved by hand: look at it at least so often while something waits.
constexpr std::chrono::milliseconds kAlarmMax{1'000};
constexpr std::chrono::seconds kAfterBug{5};

}  // namespace

Lane::Lane(async::Loop& loop, const base::Clock& clock, std::size_t parallelism, Work work)
    : clock_(clock),
      parallelism_(parallelism),
      work_(std::move(work)),
      later_changed_(loop),
      tasks_(loop) {}

void Lane::push(Key key) {
  ready_.push_back(key);
  fill();
}

void Lane::push_later(Key key, Again again) {
  later_.push({again.at, key, again.attempts});
  fill();
  later_changed_.notify();
  if (alarm_runs_ || closed_) return;
  alarm_runs_ = true;
  tasks_.spawn(alarm(shared_from_this()));
}

void Lane::set_parallelism(std::size_t parallelism) {
  parallelism_ = parallelism;
  fill();
}

void Lane::close() {
  closed_ = true;
  tasks_.cancel();
}

bool Lane::retry_is_due() const { return !later_.empty() && later_.top().at <= clock_.monotonic(); }

// In strict order, a retry that is not due yet holds up all behind it.
bool Lane::may_take_ready() const {
  return !ready_.empty() && (parallelism_ > 1 || later_.empty());
}

std::optional<Lane::Item> Lane::take() {
  if (closed_ || workers_ > parallelism_) return std::nullopt;
  if (retry_is_due()) {
    const Item item{later_.top().key, later_.top().attempts};
    later_.pop();
    return item;
  }
  if (!may_take_ready()) return std::nullopt;
  const Item item{ready_.front(), 0};
  ready_.pop_front();
  return item;
}

// As many workers as there is work for, up to the parallelism.
void Lane::fill() {
  std::size_t due = (retry_is_due() ? later_.size() : 0) + (may_take_ready() ? ready_.size() : 0);
  while (!closed_ && workers_ < parallelism_ && due > 0) {
    ++workers_;
    --due;
    tasks_.spawn(worker(shared_from_this()));
  }
}

Task<void> Lane::worker(std::shared_ptr<Lane> self) {
  while (const auto item = self->take()) {
    const auto again = co_await attempt(self, *item);
    if (self->closed_) break;
    if (again) self->push_later(item->key, *again);
  }
  --self->workers_;
}

// A bug in one attempt must not end the lane; a cut-off attempt may end by an exception.
Task<std::optional<Lane::Again>> Lane::attempt(std::shared_ptr<Lane> self, Item item) {
  try {
    co_return co_await self->work_(item.key, item.attempts);
  } catch (const std::exception& e) {
    if (self->closed_) co_return std::nullopt;
    kLog.error("bug", {{"where", "delivery"}, {"error", e.what()}});
  }
  co_return Again{item.attempts, self->clock_.monotonic() + kAfterBug};
}

// Starts workers when the first of what waits is due.
Task<void> Lane::alarm(std::shared_ptr<Lane> self) {
  while (!self->closed_ && !self->later_.empty()) {
    const auto wait = self->later_.top().at - self->clock_.monotonic();
    if (wait.count() <= 0) {
      self->fill();
      // All workers are busy: they take what is due when they are done.
      if (!co_await self->later_changed_.wait_for(kAlarmMax) && self->closed_) break;
      continue;
    }
    co_await self->later_changed_.wait_for(std::min<std::chrono::nanoseconds>(wait, kAlarmMax));
    if (self->closed_) break;
  }
  self->alarm_runs_ = false;
}

}  // namespace hearth::eventing
