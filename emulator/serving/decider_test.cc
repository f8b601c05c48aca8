#include "emulator/serving/decider.h"

#include <gtest/gtest.h>

namespace hearth::serving {
namespace {

using std::chrono::seconds;

TEST(Window, DividesByTheSecondsThatCount) {
  Window window(seconds(10));
  window.record(seconds(100), 4);
  EXPECT_DOUBLE_EQ(window.average(seconds(100)), 4);  // young: one second
  window.record(seconds(101), 2);
  EXPECT_DOUBLE_EQ(window.average(seconds(101)), 3);
  EXPECT_DOUBLE_EQ(window.average(seconds(110)), 2);  // nine seconds of silence: one bucket counts
  EXPECT_DOUBLE_EQ(window.average(seconds(111)), 0);
  EXPECT_FALSE(window.is_empty(seconds(111)));
  EXPECT_TRUE(window.is_empty(seconds(112)));
}

TEST(Window, ForgetsEverythingAfterAGapOfItsLength) {
  Window window(seconds(5));
  window.record(seconds(100), 50);
  window.record(seconds(105), 1);
  EXPECT_DOUBLE_EQ(window.average(seconds(105)), 1);
}

TEST(Decider, SaysNothingWithoutData) { EXPECT_EQ(Decider({}).decide(seconds(100), 1), -1); }

TEST(Decider, WantsOneInstancePerTarget) {
  Decider decider({.target = 7});
  for (int t = 0; t < 60; ++t) decider.record(seconds(1000 + t), 13);
  EXPECT_EQ(decider.decide(seconds(1059), 2), 2);
}

TEST(Decider, PanicsOnABurstAndDoesNotShrinkWhilePanicking) {
  Decider decider({.target = 7});
  for (int t = 0; t < 60; ++t) decider.record(seconds(1000 + t), 1);
  for (int t = 60; t < 66; ++t) decider.record(seconds(1000 + t), 70);
  EXPECT_EQ(decider.decide(seconds(1065), 1), 10);
  EXPECT_TRUE(decider.panicking());
  for (int t = 66; t < 80; ++t) decider.record(seconds(1000 + t), 0);
  EXPECT_EQ(decider.decide(seconds(1079), 10), 10);
  for (int t = 80; t < 200; ++t) decider.record(seconds(1000 + t), 0);
  EXPECT_EQ(decider.decide(seconds(1199), 10), 5);  // at most halves: max-scale-down-rate 2
  EXPECT_FALSE(decider.panicking());
}

TEST(Decider, KeepsWithinMinimumAndMaximum) {
  Decider low({.target = 1, .min_scale = 3});
  low.record(seconds(10), 0);
  EXPECT_EQ(low.decide(seconds(10), 1), 3);
  Decider high({.target = 1, .max_scale = 4});
  high.record(seconds(10), 100);
  EXPECT_EQ(high.decide(seconds(10), 1), 4);
}

}  // namespace
}  // namespace hearth::serving
