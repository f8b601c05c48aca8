#include "emulator/eventing/lane.h"

#include <future>

#include <gtest/gtest.h>

#include "platform/async/loop.h"
#include "platform/async/timer.h"

namespace hearth::eventing {
namespace {

using namespace std::chrono_literals;

class LaneTest : public ::testing::Test {
 protected:
  LaneTest() { loop_.start(); }

  void make(std::size_t parallelism) {
    lane_ = std::make_shared<Lane>(loop_, clock_, parallelism, [this](Lane::Key key, int attempts) {
      return work(key, attempts);
    });
  }

  Task<std::optional<Lane::Again>> work(Lane::Key key, int attempts) {
    most_ = std::max(most_, ++running_);
    co_await async::sleep_for(1ms);
    --running_;
    seen_.emplace_back(key, attempts);
    if (key == fails_ && attempts < 2)
      co_return Lane::Again{attempts + 1, clock_.monotonic() + 20ms};
    co_return std::nullopt;
  }

  Task<void> push_and_wait(int count, std::size_t expected) {
    for (int i = 1; i <= count; ++i) lane_->push(i);
    while (seen_.size() < expected) co_await async::sleep_for(1ms);
    lane_->close();
    co_await lane_->drain();
  }

  base::SystemClock clock_;
  async::Loop loop_{"test"};
  std::shared_ptr<Lane> lane_;
  std::vector<std::pair<Lane::Key, int>> seen_;
  Lane::Key fails_ = 0;
  int running_ = 0;
  int most_ = 0;
};

TEST_F(LaneTest, WorksWithBoundedParallelism) {
  make(3);
  loop_.run_blocking(push_and_wait(20, 20));
  EXPECT_EQ(most_, 3);
  EXPECT_EQ(lane_->waiting(), 0U);
}

TEST_F(LaneTest, RetriesLaterWithoutHoldingUpTheRest) {
  fails_ = 1;
  make(2);
  loop_.run_blocking(push_and_wait(5, 7));
  EXPECT_EQ(seen_.back(), std::make_pair(Lane::Key{1}, 2));
}

TEST_F(LaneTest, KeepsStrictOrderWithAParallelismOfOne) {
  fails_ = 2;
  make(1);
  loop_.run_blocking(push_and_wait(3, 5));
  const std::vector<std::pair<Lane::Key, int>> want{{1, 0}, {2, 0}, {2, 1}, {2, 2}, {3, 0}};
  EXPECT_EQ(seen_, want);
}

}  // namespace
}  // namespace hearth::eventing
