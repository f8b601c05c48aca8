#include "platform/resource/controller.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "platform/async/loop.h"
#include "platform/async/signal.h"
#include "platform/async/task_group.h"
#include "platform/async/timer.h"
#include "platform/telemetry/log.h"

namespace hearth::resource {
namespace {

constexpr telemetry::Log kLog("controller");
constexpr std::chrono::milliseconds kBackoffFirst{5};
constexpr std::chrono::seconds kBackoffMax{1000};

std::chrono::nanoseconds backoff(int failures) {
  if (failures > 20) return kBackoffMax;
  return std::min<std::chrono::nanoseconds>(kBackoffFirst * (1LL << failures), kBackoffMax);
}

}  // namespace

struct Controller::State : std::enable_shared_from_this<Controller::State> {
  State(async::Loop& l, std::string n, Reconcile r, std::size_t w)
      : loop(l), name(std::move(n)), reconcile(std::move(r)), workers(w), wake(l), tasks(l) {}

  void enqueue(const ObjectKey& key) {
    if (stopping || !dirty.insert(key).second) return;
    // A key that is being worked on is queued again when its worker is done.
    if (!processing.contains(key)) {
      queue.push_back(key);
      wake.notify();
    }
  }

  void enqueue_after(const ObjectKey& key, std::chrono::nanoseconds delay);
  static Task<void> worker(std::shared_ptr<State> state);
  static Task<void> delayed(std::shared_ptr<State> state, ObjectKey key,
                            std::chrono::nanoseconds delay);
  Task<void> process(ObjectKey key);
  void settle(const ObjectKey& key, const Result<Requeue>& result);

  async::Loop& loop;
  std::string name;
  Reconcile reconcile;
  std::size_t workers;
  std::deque<ObjectKey> queue;
  std::set<ObjectKey> dirty;
  std::set<ObjectKey> processing;
  std::map<ObjectKey, int> failures;
  // One pending timer a key; an earlier wish replaces a later one.
  std::map<ObjectKey, std::chrono::steady_clock::time_point> due;
  async::Signal wake;
  async::TaskGroup tasks;
  bool stopping = false;
};

void Controller::State::enqueue_after(const ObjectKey& key, std::chrono::nanoseconds delay) {
  const auto at = std::chrono::steady_clock::now() + delay;
  const auto known = due.find(key);
  if (stopping || (known != due.end() && known->second <= at)) return;
  due[key] = at;
  tasks.spawn(delayed(shared_from_this(), key, delay));
}

Task<void> Controller::State::delayed(std::shared_ptr<State> state, ObjectKey key,
                                      std::chrono::nanoseconds delay) {
  const auto at = state->due[key];
  if (!co_await async::sleep_for(delay)) co_return;
  const auto known = state->due.find(key);
  if (known == state->due.end() || known->second != at) co_return;  // replaced by an earlier one
  state->due.erase(known);
  state->enqueue(key);
}

Task<void> Controller::State::worker(std::shared_ptr<State> state) {
  while (!state->stopping) {
    if (state->queue.empty()) {
      if (!co_await state->wake.wait()) co_return;
      continue;
    }
    const ObjectKey key = state->queue.front();
    state->queue.pop_front();
    state->dirty.erase(key);
    state->processing.insert(key);
    co_await state->process(key);
    state->processing.erase(key);
    if (state->dirty.contains(key)) {
      state->queue.push_back(key);
      state->wake.notify();
    }
  }
}

Task<void> Controller::State::process(ObjectKey key) {
  Result<Requeue> result = Requeue();
  try {
    result = co_await reconcile(key);
  } catch (const boost::system::system_error& e) {
    // The controller stops while a reconcile waits for a store over a network.
    const bool cancelled = e.code() == boost::asio::error::operation_aborted;
    result = fail(cancelled ? Code::kCancelled : Code::kInternal, std::string("bug: ") + e.what());
  } catch (const std::exception& e) {
    result = fail(Code::kInternal, std::string("bug: ") + e.what());
  }
  settle(key, result);
}

void Controller::State::settle(const ObjectKey& key, const Result<Requeue>& result) {
  if (result) {
    failures.erase(key);
    if (*result) enqueue_after(key, **result);
    return;
  }
  if (result.error().code == Code::kCancelled) return;
  const int count = failures[key]++;
  // Conflicts are the normal price of optimistic locking; what is not found went meanwhile.
  const Code code = result.error().code;
  if (code != Code::kConflict && code != Code::kNotFound) {
    kLog.warn("reconcile_failed", {{"controller", name},
                                   {"object", key.text()},
                                   {"failures", count + 1},
                                   {"error", result.error().message}});
  }
  enqueue_after(key, backoff(count));
}

Controller::Controller(async::Loop& loop, std::string name, Reconcile reconcile,
                       std::size_t workers)
    : state_(std::make_shared<State>(loop, std::move(name), std::move(reconcile), workers)) {}

Controller::~Controller() { state_->stopping = true; }

void Controller::start() {
  for (std::size_t i = 0; i < state_->workers; ++i) state_->tasks.spawn(State::worker(state_));
}

void Controller::enqueue(ObjectKey key) { state_->enqueue(key); }

void Controller::enqueue_after(ObjectKey key, std::chrono::nanoseconds delay) {
  state_->enqueue_after(key, delay);
}

Task<void> Controller::stop() {
  const auto state = state_;
  state->stopping = true;
  state->tasks.cancel();
  co_await state->tasks.drain();
}

bool Controller::idle() const {
  return state_->queue.empty() && state_->processing.empty() && state_->due.empty();
}

}  // namespace hearth::resource
