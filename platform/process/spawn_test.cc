#include "platform/process/spawn.h"

#include <filesystem>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "platform/base/random_id.h"
#include "platform/base/unique_fd.h"
#include "platform/process/testing/run.h"

namespace hearth::process {
namespace {

class JailTest : public testing::Test {
 public:
  JailTest() : root_(testing::TempDir() + "jail-" + base::random_hex(6)) {
    std::filesystem::create_directory(root_);
  }
  ~JailTest() override { std::filesystem::remove_all(root_); }

 protected:
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

// The request's descriptors may lie anywhere, also where they or others are to go.
class SpawnDescriptors : public testing::TestWithParam<int> {};

TEST_P(SpawnDescriptors, ArriveWhereverTheyCameFrom) {
  constexpr int kCount = 6;
  std::vector<base::UniqueFd> sources;
  SpawnRequest request;
  std::string expected;
  for (int i = 0; i < kCount; ++i) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const base::UniqueFd read(ends[0]);
    const base::UniqueFd write(ends[1]);
    const std::string text = std::to_string(i) + "\n";
    ASSERT_EQ(::write(write.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    sources.emplace_back(::fcntl(read.get(), F_DUPFD_CLOEXEC, GetParam()));
    request.fds.emplace_back(sources.back().get(), 3 + kCount - 1 - i);
    expected.insert(0, text);
  }
  request.argv = {"/bin/sh", "-c", "for n in 3 4 5 6 7 8; do cat <&$n; done"};
  request.env = {"PATH=/usr/bin:/bin"};
  const Outcome outcome = run(request);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.output, expected);
}

INSTANTIATE_TEST_SUITE_P(From, SpawnDescriptors,
                         testing::Values(3, 5, 9, 20, 95, 98, 100, 103, 105, 400));

TEST(Spawn, WhatAProcessLeftBehindEndsWithIt) {
  SpawnRequest request;
  // The child keeps the output open: its end is seen there.
  request.argv = {"/bin/sh", "-c", "sleep 600 & echo $!"};
  request.env = {"PATH=/usr/bin:/bin"};
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const base::UniqueFd read(ends[0]);
  base::UniqueFd write(ends[1]);
  request.fds = {{write.get(), 1}};
  const auto child = spawn(request);
  write.reset();
  ASSERT_TRUE(child) << child.error().message;
  EXPECT_EQ(reap(*child), 0);
  char buffer[64];
  while (::read(read.get(), buffer, sizeof buffer) > 0) {
  }
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

// Who makes the content of a jail must not get rid of it by a mount that can't work.
TEST_F(JailTest, AMountThatFailsIsNotTakenForAMachineWithoutNamespaces) {
  SpawnRequest request = shell("true");
  request.jail->mounts.push_back({Mount::Kind::kReadOnly, "/usr", root_ + "/absent"});
  const auto child = spawn(request);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, Code::kPreconditionFailed);
  EXPECT_FALSE(withholds_namespaces(child.error()));
  EXPECT_THAT(child.error().message, testing::HasSubstr("mounting " + root_ + "/absent"));
}

}  // namespace
}  // namespace hearth::process
