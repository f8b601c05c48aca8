#include "cli/standard_output.h"

#include <iostream>

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "cli/exit_code.h"

namespace hearth::cli {
namespace {

// Ends the process; never call it but in a death test.
[[noreturn]] void write_without_reader() {
  int ends[2];
  if (::pipe(ends) != 0) ::_exit(99);
  ::dup2(ends[1], STDOUT_FILENO);
  ::close(ends[0]);
  StandardOutput output;
  std::cout << "hello" << std::flush;
  ::_exit(output.finish(kOk));
}

TEST(StandardOutputDeathTest, AReaderThatHasGoneEndsACommandQuietly) {
  EXPECT_EXIT(write_without_reader(), testing::KilledBySignal(SIGPIPE), "^$");
}

TEST(StandardOutputDeathTest, AServerOutlivesItsReader) {
  const auto serve = [] {
    outlive_reader();
    write_without_reader();
  };
  EXPECT_EXIT(serve(), testing::ExitedWithCode(kOk), "^$");
}

}  // namespace
}  // namespace hearth::cli
