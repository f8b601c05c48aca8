#include "platform/lambda/change_watch.h"

#include <algorithm>
#include <utility>

#include "platform/async/timer.h"
#include "platform/telemetry/log.h"

namespace hearth::lambda {

using resource::WatchEvent;

namespace {

constexpr telemetry::Log kLog("function");
// client-go's reflector: 800 ms doubling to 30 s.
constexpr std::chrono::milliseconds kPauseFirst{800};
constexpr std::chrono::milliseconds kPauseMax{30'000};

}  // namespace

ChangeWatch::ChangeWatch(resource::Store& store, resource::Type type, Changed changed,
                         std::function<void()> missed)
    : store_(store),
      type_(std::move(type)),
      changed_(std::move(changed)),
      missed_(std::move(missed)) {}

Task<void> ChangeWatch::run() {
  auto pause = kPauseFirst;
  while (true) {
    followed_ = false;
    const Status ended = co_await follow();
    is_first_ = false;
    if (ended.error().code == Code::kCancelled) co_return;
    if (followed_) pause = kPauseFirst;
    if (ended.error().code == Code::kExpired) {
      resource_version_ = 0;
    } else if (pause == kPauseFirst) {
      // Once an outage: a cluster may be without Knative Eventing for good.
      kLog.warn("watch_broken", {{"resource", type_.plural}, {"error", ended.error().message}});
    }
    if (!co_await async::sleep_for(pause)) co_return;
    pause = std::min(pause * 2, kPauseMax);
  }
}

// One watch to its end, which is always an error. From version 0 the state comes first, up to a
// bookmark: it says nothing of what changed.
Task<Status> ChangeWatch::follow() {
  bool in_state = resource_version_ == 0;
  HEARTH_CO_TRY(watch, co_await store_.watch(type_, {.resource_version = resource_version_}));
  while (true) {
    HEARTH_CO_TRY(event, co_await watch->next());
    if (!in_state) followed_ = true;
    if (event.type == WatchEvent::Type::kBookmark) {
      resource_version_ = event.resource_version;
      if (std::exchange(in_state, false) && !is_first_) missed_();
      continue;
    }
    if (in_state) continue;
    resource_version_ = std::max(resource_version_, event.resource_version);
    changed_(*event.object, event.type == WatchEvent::Type::kDeleted);
  }
}

}  // namespace hearth::lambda
