// What a confined process can't do, each tried for real. What is tested is the kernel's answer,
// never the product's: a mechanism that the kernel has and the product doesn't see is a failure.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include "platform/base/random_id.h"
#include "platform/process/cgroup.h"
#include "platform/process/mechanisms.h"
#include "platform/process/spawn.h"
#include "platform/process/testing/kernel.h"
#include "platform/process/testing/run.h"

namespace hearth::process {
namespace {

SpawnRequest python(const std::string& script) {
  SpawnRequest request;
  request.argv = {"/usr/bin/python3", "-I", "-c", script};
  request.env = {"PATH=/usr/bin:/bin"};
  return request;
}

// A call by number; prints its errno's name.
std::string calling(const std::string& arguments) {
  return "import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\n"
         "done = libc.syscall(" +
         arguments +
         ")\n"
         "print('done' if done != -1 else errno.errorcode[ctypes.get_errno()])\n";
}

class SeccompTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!kernel::has_filters()) GTEST_SKIP() << "this kernel has no filters";
    ASSERT_TRUE(has_seccomp());
  }
  std::string answer(const std::string& arguments, SeccompPart part = SeccompPart::kWhole) {
    const SeccompFilter filter = make_seccomp_filter(part);
    SpawnRequest request = python(calling(arguments));
    request.seccomp = &filter;
    std::string out = run(request).output;
    if (out.ends_with('\n')) out.pop_back();
    return out;
  }
};

std::string number(long call) { return std::to_string(call); }

TEST_F(SeccompTest, RefusesWhatReachesOtherProcessesAndTheKernel) {
  EXPECT_EQ(answer(number(SYS_ptrace) + ", 0, 0, 0, 0"), "EPERM");
  EXPECT_EQ(answer(number(SYS_process_vm_readv) + ", 1, 0, 0, 0, 0, 0"), "EPERM");
  EXPECT_EQ(answer(number(SYS_bpf) + ", 0, 0, 0"), "EPERM");
  EXPECT_EQ(answer(number(SYS_io_uring_setup) + ", 1, 0"), "EPERM");
  EXPECT_EQ(answer(number(SYS_keyctl) + ", 0, 0"), "EPERM");
}

TEST_F(SeccompTest, RefusesMountsAndNamespacesEvenToRoot) {
  EXPECT_EQ(answer(number(SYS_mount) + ", b'x', b'/tmp', b'tmpfs', 0, 0"), "EPERM");
  EXPECT_EQ(answer(number(SYS_unshare) + ", 0x10000000"), "EPERM");
  EXPECT_EQ(answer(number(SYS_clone) + ", 0x10000011, 0, 0, 0, 0"), "EPERM");
}

TEST_F(SeccompTest, SendsClone3BackToCloneAndLetsThreadsStart) {
  EXPECT_EQ(answer(number(SYS_clone3) + ", 0, 0"), "ENOSYS");
  const SeccompFilter filter = make_seccomp_filter(SeccompPart::kWhole);
  SpawnRequest request = python(
      "import subprocess, threading\nt = threading.Thread(target=print, args=('thread',))\n"
      "t.start(); t.join()\nprint(subprocess.check_output(['/bin/echo', 'child']).decode())\n");
  request.seccomp = &filter;
  EXPECT_EQ(run(request).output, "thread\nchild\n\n");
}

TEST_F(SeccompTest, AllowsOnlyTheUsualSocketFamilies) {
  EXPECT_EQ(answer(number(SYS_socket) + ", 40, 1, 0"), "EAFNOSUPPORT");  // AF_VSOCK
  EXPECT_EQ(answer(number(SYS_socket) + ", 2, 1, 0"), "done");
}

TEST_F(SeccompTest, LetsTheForkServerMountAndItsChildrenNot) {
  EXPECT_EQ(answer(number(SYS_umount2) + ", b'/no/such', 0", SeccompPart::kForkServer),
            "ENOENT");  // the call itself is reached, also by who may not unmount
  EXPECT_EQ(answer(number(SYS_ptrace) + ", 0, 0, 0, 0", SeccompPart::kForkServer), "EPERM");
  EXPECT_EQ(answer(number(SYS_umount2) + ", b'/no/such', 0", SeccompPart::kForkServerChild),
            "EPERM");
}

class LandlockTest : public testing::Test {
 public:
  LandlockTest() : folder_(testing::TempDir() + "landlock-" + base::random_hex(6)) {
    std::filesystem::create_directories(folder_ + "/open");
    std::ofstream(folder_ + "/secret") << "secret";
  }
  ~LandlockTest() override { std::filesystem::remove_all(folder_); }

 protected:
  void SetUp() override {
    if (kernel::landlock_version() == 0) GTEST_SKIP() << "this kernel has no landlock";
    ASSERT_EQ(landlock_version(), kernel::landlock_version());
  }
  SpawnRequest shell(const std::string& script) {
    SpawnRequest request;
    request.argv = {"/bin/sh", "-c", script};
    request.env = {"PATH=/usr/bin:/bin"};
    return request;
  }
  std::string folder_;
};

TEST_F(LandlockTest, BoundsWritingToTheGivenFolders) {
  SpawnRequest request = shell("echo x > " + folder_ + "/open/a && cat " + folder_ +
                               "/open/a; echo y > " + folder_ + "/b || cat " + folder_ + "/secret");
  request.landlock = LandlockRules{.writable = {folder_ + "/open"}};
  EXPECT_THAT(run(request).output,
              testing::AllOf(testing::StartsWith("x\n"), testing::HasSubstr("Permission denied"),
                             testing::EndsWith("secret")));
}

TEST_F(LandlockTest, BoundsReadingWithoutAJail) {
  SpawnRequest request = shell("cat " + folder_ + "/secret");
  request.landlock = LandlockRules{.restrict_reading = true,
                                   .readable = {"/usr", "/bin", "/lib", "/lib64", "/etc"}};
  EXPECT_THAT(run(request).output, testing::HasSubstr("Permission denied"));
}

TEST(LandlockPlan, HasOnlyWhatTheKernelsVersionKnows) {
  const LandlockRules rules{.writable = {"/tmp"}};
  EXPECT_TRUE(plan_landlock(rules, 0).attributes.empty());
  EXPECT_EQ(plan_landlock(rules, 1).attributes.size(), 1U);
  EXPECT_EQ(plan_landlock(rules, 4).attributes.size(), 2U);
  EXPECT_EQ(plan_landlock(rules, 6).attributes.size(), 3U);
}

class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    if (kernel_.version == 0) GTEST_SKIP() << "the kernel lets this process make no groups";
    auto made = CgroupTree::make("hearth-test");
    ASSERT_TRUE(made) << made.error().message;
    tree_.emplace(std::move(*made));
  }
  // The kernel's word: make_group() without a controller that the kernel gives bounds nothing.
  bool has(const std::string& name) {
    return std::ranges::find(kernel_.controllers, name) != kernel_.controllers.end();
  }
  const kernel::Groups kernel_ = kernel::groups();
  std::optional<CgroupTree> tree_;
};

TEST_F(CgroupTest, HasAllThatTheKernelGives) {
  EXPECT_EQ(tree_->version(), kernel_.version);
  EXPECT_EQ(tree_->controllers(), kernel_.controllers);
}

TEST(Mechanisms, AreThoseThatTheKernelGives) {
  std::vector<std::pair<std::string, bool>> told;
  for (const Mechanism& one : kernel_mechanisms()) told.emplace_back(one.name, one.available);
  EXPECT_THAT(told,
              testing::ElementsAre(testing::Pair("namespaces", kernel::gives_namespaces()),
                                   testing::Pair("landlock", kernel::landlock_version() > 0),
                                   testing::Pair("seccomp", kernel::has_filters()),
                                   testing::Pair("control groups", kernel::groups().version > 0)));
}

TEST_F(CgroupTest, EndsAProcessAtItsMemoryLimitAndSaysSo) {
  if (!has("memory")) GTEST_SKIP() << "no memory controller";
  auto group = tree_->make_group("hog", {.memory_bytes = 64 << 20});
  ASSERT_TRUE(group) << group.error().message;
  SpawnRequest request = python("x = b'x' * (256 << 20)\nprint('had it')");
  request.cgroup = &*group;
  const Outcome outcome = run(request);
  EXPECT_EQ(outcome.code, 128 + SIGKILL);
  EXPECT_EQ(outcome.output, "");
  EXPECT_TRUE(group->out_of_memory());
}

TEST_F(CgroupTest, WritesLimitsInAnOrderThatAlsoRaisesThem) {
  if (!has("memory")) GTEST_SKIP() << "no memory controller";
  auto folders = tree_->make_folders("raised");
  ASSERT_TRUE(folders);
  const auto folder_of = [&](const std::string& hierarchy) {
    const auto found = std::ranges::find(*folders, hierarchy, &CgroupTree::Folder::hierarchy);
    return found == folders->end() ? std::filesystem::path() : found->path;
  };
  const bool unified = kernel_.version == 2;
  const auto limit =
      unified ? folder_of("unified") / "memory.max" : folder_of("memory") / "memory.limit_in_bytes";
  for (const std::uint64_t bytes : {64U << 20, 256U << 20, 128U << 20}) {
    for (const auto& [file, value] : tree_->writes({.memory_bytes = bytes})) {
      const auto slash = file.find('/');
      const auto path = folder_of(file.substr(0, slash)) / file.substr(slash + 1);
      const bool of_swap = file.contains("memsw") || file.contains("swap");
      // The kernel may not account swap; nothing else may be missing.
      if (of_swap && !std::filesystem::exists(path)) continue;
      ASSERT_TRUE(std::filesystem::exists(path)) << path;
      std::ofstream out(path);
      out << value << std::flush;
      EXPECT_TRUE(out) << path << " " << value;
    }
    EXPECT_EQ(kernel::text_of(limit), std::to_string(bytes) + "\n") << limit;
    const auto swap = unified ? folder_of("unified") / "memory.swap.max"
                              : folder_of("memory") / "memory.memsw.limit_in_bytes";
    if (std::filesystem::exists(swap)) {  // version 1 counts both together
      EXPECT_EQ(kernel::text_of(swap), unified ? "0\n" : std::to_string(bytes) + "\n");
    }
  }
}

TEST_F(CgroupTest, BoundsTheNumberOfProcesses) {
  if (!has("pids")) GTEST_SKIP() << "no pids controller";
  auto group = tree_->make_group("bomb", {.processes = 4});
  ASSERT_TRUE(group) << group.error().message;
  SpawnRequest request = python(
      "import os, signal, time\nchildren = []\nfor i in range(9):\n  try:\n"
      "    child = os.fork()\n    if child == 0: time.sleep(60)\n    children.append(child)\n"
      "  except BlockingIOError: print('refused after', i); break\n"
      "for child in children: os.kill(child, signal.SIGKILL)");
  request.cgroup = &*group;
  EXPECT_EQ(run(request).output, "refused after 3\n");
}

TEST_F(CgroupTest, RemovesItsGroups) {
  std::filesystem::path folder;
  {
    auto folders = tree_->make_folders("kept");
    ASSERT_TRUE(folders);
    folder = folders->front().path;
    EXPECT_TRUE(std::filesystem::exists(folder));
  }
  tree_.reset();
  EXPECT_FALSE(std::filesystem::exists(folder.parent_path()));
}

}  // namespace
}  // namespace hearth::process
