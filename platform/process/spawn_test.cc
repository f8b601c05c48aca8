#include "platform/process/spawn.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "platform/base/random_id.h"
#include "platform/process/testing/run.h"

namespace hearth::process {
namespace {

class JailTest : public testing::Test {
 protected:
  JailTest() : root_(testing::TempDir() + "jail-" + base::random_hex(6)) {
    std::filesystem::create_directory(root_);
  }
  ~JailTest() override { std::filesystem::remove_all(root_); }

  SpawnRequest shell(const std::string& script) {
    SpawnRequest request;
    request.argv = {"/bin/sh", "-c", script};
    request.env = {"PATH=/usr/bin:/bin"};
    request.jail = Jail{.root = root_, .binds = host_binds()};
    return request;
  }

  std::string root_;
};

TEST(Spawn, ReportsAMissingProgram) {
  SpawnRequest request;
  request.argv = {"/no/such/program"};
  EXPECT_EQ(spawn(request).error().code, Code::kNotFound);
}

TEST(Spawn, PassesOnlyTheGivenDescriptors) {
  SpawnRequest request;
  request.argv = {"/bin/sh", "-c", "ls /proc/self/fd | wc -l"};
  request.env = {"PATH=/usr/bin:/bin"};
  // 1 and 2, ls' own descriptor of the folder; standard input is not given here.
  EXPECT_LE(std::stoi(run(request).output), 4);
}

TEST_F(JailTest, SeesNothingOfTheHostButPrograms) {
  const Outcome outcome = run(shell("ls / | tr '\\n' ' '; id -u; ls /root /home 2>&1 | head -2"));
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.output, testing::HasSubstr("65532"));
  EXPECT_THAT(outcome.output, testing::Not(testing::HasSubstr("work")));
  EXPECT_THAT(outcome.output, testing::HasSubstr("No such file"));
}

TEST_F(JailTest, CanWriteOnlyBelowTmp) {
  EXPECT_EQ(run(shell("echo x > /tmp/a && cat /tmp/a")).output, "x\n");
  EXPECT_NE(run(shell("echo x > /usr/a")).code, 0);
  EXPECT_NE(run(shell("echo x > /a")).code, 0);
}

TEST_F(JailTest, HasItsOwnProcesses) { EXPECT_EQ(run(shell("echo $$")).output, "1\n"); }

TEST_F(JailTest, LeavesNoMountBehind) {
  (void)run(shell("true"));
  EXPECT_TRUE(std::filesystem::is_empty(root_));
}

}  // namespace
}  // namespace hearth::process
