#include <future>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>

#include "platform/async/blocking.h"
#include "platform/async/loop.h"
#include "platform/async/signal.h"
#include "platform/async/task_group.h"
#include "platform/async/timer.h"

namespace hearth::async {
namespace {

Task<void> wait_and_mark(Signal& signal, bool& woken) { woken = co_await signal.wait(); }

Task<void> add_on_pool(BlockingPool& pool, Loop& loop, int& sum, bool& back_on_loop) {
  sum = co_await pool.run([] { return 40 + 2; });
  back_on_loop = loop.is_current();
}

Task<void> sleep_long(bool& cancelled) { cancelled = !co_await sleep_for(std::chrono::hours(1)); }

Task<void> cancel_and_drain(TaskGroup& group) {
  group.cancel();
  co_await group.drain();
}

Task<void> notify_then_wait_for_end(Loop& loop, Signal& signal, TaskGroup& group) {
  loop.post([&] { signal.notify(); });
  co_await group.drain();
}

TEST(Signal, WakesWhoWaits) {
  Loop loop("test");
  loop.start();
  Signal signal(loop);
  TaskGroup group(loop);
  bool woken = false;
  loop.post([&] { group.spawn(wait_and_mark(signal, woken)); });
  loop.run_blocking(notify_then_wait_for_end(loop, signal, group));
  EXPECT_TRUE(woken);
}

TEST(BlockingPool, ReturnsToTheLoopOfTheAwaitingTask) {
  BlockingPool pool(1);
  Loop loop("test");
  loop.start();
  int sum = 0;
  bool back_on_loop = false;
  loop.run_blocking(add_on_pool(pool, loop, sum, back_on_loop));
  EXPECT_EQ(sum, 42);
  EXPECT_TRUE(back_on_loop);
}

Task<void> throw_on_pool(BlockingPool& pool, std::string& caught) {
  try {
    (void)co_await pool.run([]() -> int { throw std::runtime_error("a bug"); });
  } catch (const std::runtime_error& e) {
    caught = e.what();
  }
}

TEST(BlockingPool, ThrowsOnWhatItsWorkThrew) {
  BlockingPool pool(1);
  Loop loop("test");
  loop.start();
  std::string caught;
  loop.run_blocking(throw_on_pool(pool, caught));
  EXPECT_EQ(caught, "a bug");
}

TEST(TaskGroup, CancelEndsWaitingTasksAndDrainSeesTheEnd) {
  Loop loop("test");
  loop.start();
  TaskGroup group(loop);
  bool cancelled = false;
  std::promise<void> spawned;
  loop.post([&] {
    group.spawn(sleep_long(cancelled));
    loop.post([&] { spawned.set_value(); });
  });
  spawned.get_future().get();
  loop.run_blocking(cancel_and_drain(group));
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(group.size(), 0U);
}

}  // namespace
}  // namespace hearth::async
