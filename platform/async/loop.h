// A thread with an event loop. Objects belong to one loop; other threads post to it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "platform/async/task.h"

namespace boost::asio {
class io_context;
}

namespace hearth::async {

class Loop {
 public:
  explicit Loop(std::string name);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop() on the calling thread.
  void run();
  // Runs on a thread of its own that the destructor joins.
  void start();
  // Thread-safe. The loop ends after the handler that runs now.
  void stop();

  // Thread-safe; `work` runs later on the loop's thread.
  void post(std::move_only_function<void()> work);
  // Starts a task on the loop; an exception that leaves it is a bug and ends the process.
  // For work that has an owner use TaskGroup.
  void spawn(Task<void> task);
  // Runs the task to its end on the loop's own thread; blocks the caller, who is another thread.
  void run_blocking(Task<void> task);

  bool is_current() const;
  const std::string& name() const { return name_; }
  boost::asio::io_context& context();

 private:
  struct State;
  std::string name_;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::async
