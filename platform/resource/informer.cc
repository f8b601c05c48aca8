#include "platform/resource/informer.h"

#include <algorithm>
#include <set>
#include <utility>

#include "platform/async/loop.h"
#include "platform/async/timer.h"
#include "platform/telemetry/log.h"

namespace hearth::resource {
namespace {

constexpr telemetry::Log kLog("informer");
// client-go's reflector: 800 ms doubling to 30 s.
constexpr std::chrono::milliseconds kBackoffFirst{800};
constexpr std::chrono::milliseconds kBackoffMax{30'000};
constexpr std::chrono::minutes kHealthy{2};

}  // namespace

Informer::Informer(async::Loop& loop, Store& store, Type type)
    : store_(store), type_(std::move(type)), synced_signal_(loop) {}

void Informer::on_change(Handler handler) { handlers_.push_back(std::move(handler)); }

Task<void> Informer::run() {
  auto backoff = kBackoffFirst;
  bool relisted = false;
  while (true) {
    const auto begin = std::chrono::steady_clock::now();
    followed_ = false;
    const Status ended = co_await follow();
    if (ended.error().code == Code::kCancelled) co_return;
    if (followed_ || std::chrono::steady_clock::now() - begin > kHealthy) {
      backoff = kBackoffFirst;
      relisted = false;
    }
    if (ended.error().code == Code::kExpired) {
      resource_version_ = 0;
      // At once, but not again and again: a server may call every version expired.
      if (!std::exchange(relisted, true)) continue;
    } else {
      kLog.warn("watch_broken", {{"resource", type_.plural}, {"error", ended.error().message}});
    }
    if (!co_await async::sleep_for(backoff)) co_return;
    backoff = std::min(backoff * 2, kBackoffMax);
  }
}

// One watch from the last version (or from the current state) to its end, which is always an error.
Task<Status> Informer::follow() {
  HEARTH_CO_TRY(watch, co_await store_.watch(type_, {.resource_version = resource_version_}));
  // From 0 the state comes first; what it does not contain vanished while we were away.
  const bool replaying = resource_version_ == 0;
  std::set<ObjectKey> seen;
  bool in_state = replaying;
  while (true) {
    HEARTH_CO_TRY(event, co_await watch->next());
    if (!in_state) followed_ = true;
    if (event.type == WatchEvent::Type::kBookmark) {
      resource_version_ = event.resource_version;
      if (in_state) {
        in_state = false;
        std::vector<ObjectPtr> vanished;
        for (const auto& [key, object] : objects_) {
          if (!seen.contains(key)) vanished.push_back(object);
        }
        for (const ObjectPtr& object : vanished) {
          apply({WatchEvent::Type::kDeleted, object, event.resource_version});
        }
        synced_ = true;
        synced_signal_.notify();
      }
      continue;
    }
    apply(event);
    // Half a state has no version: a watch that breaks in it begins with the state again.
    if (in_state)
      seen.insert(key_of(*event.object));
    else
      resource_version_ = std::max(resource_version_, event.resource_version);
  }
}

void Informer::apply(const WatchEvent& event) {
  const ObjectKey key = key_of(*event.object);
  const bool deleted = event.type == WatchEvent::Type::kDeleted;
  if (deleted) {
    if (objects_.erase(key) == 0) return;
  } else {
    ObjectPtr& slot = objects_[key];
    if (slot && uid_of(*slot) != uid_of(*event.object)) {
      // Deleted and made anew while nobody looked: two objects, so two changes.
      const ObjectPtr former = std::exchange(slot, event.object);
      for (const Handler& handler : handlers_) handler(former, true);
    } else if (slot && resource_version_of(*slot) == resource_version_of(*event.object)) {
      return;
    }
    slot = event.object;
  }
  for (const Handler& handler : handlers_) handler(event.object, deleted);
}

Task<void> Informer::wait_synced() {
  while (!synced_) {
    if (!co_await synced_signal_.wait()) co_return;
  }
}

ObjectPtr Informer::get(const ObjectKey& key) const {
  const auto it = objects_.find(key);
  return it == objects_.end() ? nullptr : it->second;
}

std::vector<ObjectPtr> Informer::in_namespace(const std::string& ns) const {
  std::vector<ObjectPtr> out;
  for (auto it = objects_.lower_bound({ns, ""}); it != objects_.end() && it->first.ns == ns; ++it) {
    out.push_back(it->second);
  }
  return out;
}

}  // namespace hearth::resource
