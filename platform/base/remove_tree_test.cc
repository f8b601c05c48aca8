#include "platform/base/remove_tree.h"

#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/base/file.h"
#include "platform/base/random_id.h"
#include "platform/base/unique_fd.h"

namespace hearth::base {
namespace {

namespace fs = std::filesystem;

class RemoveTree : public testing::Test {
 protected:
  RemoveTree() : root_(parent() / ("remove-" + random_hex(6))) {
    fs::create_directories(tree());
    fs::create_directories(outside());
    EXPECT_TRUE(write_file_atomically(outside() / "kept", "kept"));
  }
  void TearDown() override {
    if (fs::exists(tree())) EXPECT_TRUE(remove_tree(tree()));
    fs::remove_all(root_);
  }
  // In memory where that is offered: a disk takes seconds for thousands of folders.
  static fs::path parent() {
    const fs::path memory = "/dev/shm";
    return ::access(memory.c_str(), W_OK | X_OK) == 0 ? memory : fs::path(testing::TempDir());
  }
  fs::path tree() const { return root_ / "tree"; }
  fs::path outside() const { return root_ / "outside"; }

  // Folders in each other, a file and a link to the outside in some; no path could name the last.
  // Each has its mode once it is full.
  void make_deep(const fs::path& from, int levels, mode_t mode = 0755) const {
    constexpr int kWithFiles = 7;
    UniqueFd at(::open(from.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (int level = 0; level < levels; ++level) {
      ASSERT_EQ(::mkdirat(at.get(), "one-folder-in-another", 0755), 0);
      if (level % kWithFiles == 0) {
        ASSERT_EQ(::symlinkat(outside().c_str(), at.get(), "link"), 0);
        const UniqueFd file(::openat(at.get(), "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        ASSERT_TRUE(file);
      }
      UniqueFd next(::openat(at.get(), "one-folder-in-another", O_RDONLY | O_CLOEXEC));
      ASSERT_TRUE(next);
      ASSERT_EQ(::fchmod(at.get(), mode), 0);
      at = std::move(next);
    }
  }

  fs::path root_;
};

// While it lives, the process may have so many descriptors.
class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t most) {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const rlimit fewer{most, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &fewer), 0);
  }
  ~DescriptorLimit() { EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &before_), 0); }
  DescriptorLimit(const DescriptorLimit&) = delete;
  DescriptorLimit& operator=(const DescriptorLimit&) = delete;

 private:
  rlimit before_{};
};

// Whether `holds` in a process that permissions bind; of root they bind nobody.
bool without_privileges(const fs::path& owned, const std::function<bool()>& holds) {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() != 0) return holds();
  EXPECT_EQ(::chown(owned.c_str(), kNobody, kNobody), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const bool dropped =
        ::setresgid(kNobody, kNobody, kNobody) == 0 && ::setresuid(kNobody, kNobody, kNobody) == 0;
    const bool held = dropped && holds();
    (void)std::fflush(nullptr);
    ::_exit(held ? 0 : 1);
  }
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(RemoveTree, RemovesWhatIsDeeperThanPathsAndDescriptorsReach) {
  make_deep(tree(), 5'000);
  const DescriptorLimit limit(64);
  const Status removed = remove_tree(tree());
  EXPECT_TRUE(removed) << removed.error().message;
  EXPECT_FALSE(fs::exists(tree()));
  EXPECT_TRUE(fs::exists(outside() / "kept"));
}

TEST_F(RemoveTree, RemovesDeepTreesBesideEachOtherInFewDescriptors) {
  for (int i = 0; i < 5; ++i) {
    const fs::path folder = tree() / std::to_string(i) / "a" / "b";
    fs::create_directories(folder);
    make_deep(tree() / std::to_string(i), 90);
    make_deep(folder, 90);
  }
  // Three standard ones, a folder for each of 16 levels, one that is being opened.
  const DescriptorLimit limit(24);
  const Status removed = remove_tree(tree());
  EXPECT_TRUE(removed) << removed.error().message;
  EXPECT_FALSE(fs::exists(tree()));
}

TEST_F(RemoveTree, LeavesWhatLinksLeadTo) {
  fs::create_symlink(outside(), tree() / "folder");
  fs::create_symlink(outside() / "kept", tree() / "file");
  fs::create_symlink("nowhere", tree() / "dangling");
  fs::create_symlink(tree(), root_ / "link");
  EXPECT_TRUE(remove_tree(root_ / "link/"));
  EXPECT_FALSE(fs::is_symlink(root_ / "link"));
  EXPECT_TRUE(fs::is_symlink(tree() / "folder"));
  EXPECT_TRUE(remove_tree(tree()));
  EXPECT_FALSE(fs::exists(tree()));
  EXPECT_TRUE(fs::exists(outside() / "kept"));
}

TEST_F(RemoveTree, RemovesFilesAndWhatIsNotThere) {
  EXPECT_TRUE(remove_tree(root_ / "nothing"));
  EXPECT_TRUE(remove_tree(root_ / "nothing/below"));
  EXPECT_TRUE(remove_tree(""));
  EXPECT_TRUE(remove_tree(outside() / "kept"));
  EXPECT_FALSE(fs::exists(outside() / "kept"));
}

TEST_F(RemoveTree, MakesFoldersWritableThatItsOwnerMayRemove) {
  EXPECT_TRUE(without_privileges(tree(), [this] {
    for (const mode_t mode : {0555U, 0444U, 0111U, 0000U}) {
      const fs::path top = tree() / "top";
      fs::create_directory(top);
      make_deep(top, 40, mode);
      const Status removed = remove_tree(top);
      if (!removed || fs::exists(top)) {
        ADD_FAILURE() << mode << ": " << (removed ? "it is there" : removed.error().message);
        return false;
      }
    }
    return true;
  }));
}

TEST_F(RemoveTree, NamesWhatItMustLeaveAndRemovesTheRest) {
  fs::create_directories(tree() / "theirs/folder");
  EXPECT_TRUE(write_file_atomically(tree() / "theirs/folder/held", ""));
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make what it may not remove itself";
  EXPECT_TRUE(without_privileges(tree(), [this] {
    fs::create_directories(tree() / "mine/folder");
    const Status removed = remove_tree(tree());
    if (removed || fs::exists(tree() / "mine") || !fs::exists(tree() / "theirs/folder/held")) {
      return false;
    }
    const std::string& message = removed.error().message;
    return removed.error().code == Code::kForbidden && message.contains("held") &&
           message.starts_with("removing " + tree().string());
  }));
}

}  // namespace
}  // namespace hearth::base
