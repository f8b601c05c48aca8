// Owns running tasks of one loop: spawn, cancel all, wait until none is left. Nothing in the house
// runs detached; the owner of a group drains it before its own members go.
#pragma once

#include <functional>
#include <memory>

#include "platform/async/task.h"

namespace hearth::async {

class Loop;

class TaskGroup {
 public:
  explicit TaskGroup(Loop& loop);
  // All tasks must have ended (drain) or the loop must have stopped.
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Call on the loop. An exception that leaves the task is logged as a bug; the group goes on.
  void spawn(Task<void> task);
  // Every task sees its current wait cancelled; later spawns end at their first wait as well.
  void cancel();
  Task<void> drain();
  std::size_t size() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hearth::async
