// A bounded pool for what blocks: git, archives, hashing of large bodies, dependency installs.
#pragma once

#include <exception>
#include <expected>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

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

  // Runs `work` on a pool thread; the awaiting task goes on on its own loop, where what the work
  // throws is thrown on. The work must not refer to locals of a task that may be cancelled: it goes
  // on to its end.
  template <typename F>
  Task<std::invoke_result_t<F>> run(F work) {
    using Outcome = std::expected<std::invoke_result_t<F>, std::exception_ptr>;
    auto outcome = co_await completion<Outcome>([this, &work](Resolve<Outcome> resolve) {
      submit([work = std::move(work), resolve = std::move(resolve)]() mutable {
        resolve(outcome_of(work));
      });
    });
    if (!outcome) std::rethrow_exception(outcome.error());
    co_return std::move(*outcome);
  }

 private:
  template <typename F>
  static std::expected<std::invoke_result_t<F>, std::exception_ptr> outcome_of(F& work) {
    try {
      return std::expected<std::invoke_result_t<F>, std::exception_ptr>(std::in_place, work());
    } catch (...) {
      return std::unexpected(std::current_exception());
    }
  }
  void submit(std::move_only_function<void()> work);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::async
