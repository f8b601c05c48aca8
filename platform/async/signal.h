// A wake-up for tasks of one loop: notify() wakes all that wait now. Like a condition variable,
// the waiter checks its condition in a loop.
#pragma once

#include <chrono>
#include <memory>

#include "platform/async/task.h"

namespace hearth::async {

class Loop;

class Signal {
 public:
  explicit Signal(Loop& loop);
  ~Signal();
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;

  // Call on the loop.
  void notify();
  // False when the waiting task was cancelled.
  Task<bool> wait();
  // Wakes at the latest after `timeout`; true when notified, false on time-out or cancellation.
  Task<bool> wait_for(std::chrono::nanoseconds timeout);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hearth::async
