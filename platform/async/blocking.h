// A bounded pool for what blocks: git, archives, hashing of large bodies, dependency installs.
#pragma once

#include <functional>
#include <memory>
#include <type_traits>

#include "platform/async/completion.h"
#include "platform/async/task.h"

namespace hearth::async {

class BlockingPool {
 public:
  explicit BlockingPool(std::size_t threads);
  // Waits for the work that runs; what is queued is dropped.
  ~BlockingPool();
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Runs `work` on a pool thread; the awaiting task goes on on its own loop. The work must not
  // refer to locals of a task that may be cancelled: it goes on to its end.
  template <typename F>
  Task<std::invoke_result_t<F>> run(F work) {
    co_return co_await completion<std::invoke_result_t<F>>(
        [this, &work](Resolve<std::invoke_result_t<F>> resolve) {
          submit([work = std::move(work), resolve = std::move(resolve)]() mutable {
            resolve(work());
          });
        });
  }

 private:
  void submit(std::move_only_function<void()> work);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::async
