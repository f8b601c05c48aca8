#include "emulator/serving/crash.h"

#include <gtest/gtest.h>

namespace hearth::serving {
namespace {

Crash crash(std::string last_lines) {
  return {.instance = "hello-00001-deployment-x",
          .reason = "ExitCode3",
          .message = {},
          .last_lines = std::move(last_lines),
          .exit_code = 3};
}

TEST(CrashMessage, BeginsWithReasonExitCodeAndWait) {
  EXPECT_EQ(crash_message(crash("one\ntwo\n"), std::chrono::seconds(10), 1024),
            "ExitCode3 (exit code 3); the next attempt waits 10 s\none\ntwo");
}

TEST(CrashMessage, NamesTheSignal) {
  Crash killed = crash("");
  killed.reason = "OOMKilled";
  killed.message = "its memory limit of 32 MiB was used up";
  killed.exit_code = 137;
  EXPECT_EQ(crash_message(killed, std::chrono::seconds(0), 1024),
            "OOMKilled (exit code 137, SIGKILL); the next attempt waits 0 s: "
            "its memory limit of 32 MiB was used up");
}

TEST(CrashMessage, OfAnInstanceThatNeverRanHasNoExitCode) {
  const Crash never{.instance = {}, .reason = "StartFailed", .message = "no image"};
  EXPECT_EQ(crash_message(never, std::chrono::seconds(20), 1024),
            "StartFailed; the next attempt waits 20 s: no image");
}

TEST(CrashMessage, KeepsTheEndOfTheLogWhenThereIsNoRoomForAll) {
  std::string log;
  for (int i = 0; i < 100; ++i) log += "line " + std::to_string(i) + " of a long story\n";
  const std::string told = crash_message(crash(log), std::chrono::seconds(10), 1024);
  EXPECT_LE(told.size(), 1024U);
  EXPECT_GT(told.size(), 980U);
  EXPECT_TRUE(told.starts_with("ExitCode3 (exit code 3); the next attempt waits 10 s\nline "));
  EXPECT_TRUE(told.ends_with("\nline 99 of a long story"));
}

TEST(LastWholeLines, BeginAtALine) {
  EXPECT_EQ(last_whole_lines("one\ntwo\nthree\n", 100), "one\ntwo\nthree");
  EXPECT_EQ(last_whole_lines("one\ntwo\nthree\n", 9), "two\nthree");
  EXPECT_EQ(last_whole_lines("one\ntwo\nthree\n", 8), "three");
  EXPECT_EQ(last_whole_lines("\n\n", 1), "");
}

TEST(LastWholeLines, OfALineThatIsTooLongAreItsEnd) {
  EXPECT_EQ(last_whole_lines("one\nabcdef", 3), "def");
  EXPECT_EQ(last_whole_lines("ääää", 3), "ä");  // no half character
}

}  // namespace
}  // namespace hearth::serving
