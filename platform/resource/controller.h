// The reconcile loop: a deduplicating work queue with rate limits, and workers that call one
// function for one key at a time. Level-triggered: a key says "look again", nothing more.
//
// Rate limits as client-go: an error repeats the key after 5 ms · 2^n, at most 1000 s; success
// forgets the count.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "platform/async/task.h"
#include "platform/resource/object.h"

namespace hearth::async {
class Loop;
}

namespace hearth::resource {

// nullopt: done until something changes. Otherwise look again after that time.
using Requeue = std::optional<std::chrono::nanoseconds>;
using Reconcile = std::function<Task<Result<Requeue>>(ObjectKey)>;

class Controller {
 public:
  Controller(async::Loop& loop, std::string name, Reconcile reconcile, std::size_t workers = 4);
  ~Controller();

  // All on the loop.
  void start();
  void enqueue(ObjectKey key);
  void enqueue_after(ObjectKey key, std::chrono::nanoseconds delay);
  // Lets the reconciles that run end, drops the rest.
  Task<void> stop();

  bool idle() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hearth::resource
