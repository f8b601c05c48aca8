#include "cli/scratch_folder.h"

#include <fstream>

#include <gtest/gtest.h>

#include "platform/base/random_id.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

class ScratchFolders : public testing::Test {
 public:
  ScratchFolders()
      : parent_(fs::path(testing::TempDir()) / ("hearth-scratch-" + base::random_hex(8))) {
    fs::remove_all(parent_);
    fs::create_directories(parent_);
  }
  ~ScratchFolders() override { fs::remove_all(parent_); }

 protected:
  ScratchFolder make() { return std::move(ScratchFolder::make(parent_, "work-").value()); }

  fs::path parent_;
};

TEST_F(ScratchFolders, GoWithTheirObjects) {
  fs::path path;
  {
    const ScratchFolder folder = make();
    path = folder.path();
    std::ofstream(path / "file") << "x";
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(ScratchFolders, OfOneThatWasKilledGoWithTheNext) {
  const fs::path left = parent_ / "work-left";
  fs::create_directories(left / "deep");
  std::ofstream(left / "lock") << "";  // nobody holds it
  std::ofstream(left / "deep/file") << "x";
  const ScratchFolder next = make();
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(next.path()));
}

TEST_F(ScratchFolders, OfOthersThatRunStay) {
  const ScratchFolder first = make();
  const ScratchFolder second = make();
  EXPECT_TRUE(fs::exists(first.path()));
}

TEST_F(ScratchFolders, WithoutALockOrOfAnotherNameOrBehindALinkStay) {
  for (const char* name : {"work-young", "other"}) fs::create_directories(parent_ / name);
  std::ofstream(parent_ / "other/lock") << "";
  fs::create_directory_symlink(parent_ / "other", parent_ / "work-link");
  const ScratchFolder folder = make();
  EXPECT_TRUE(fs::exists(parent_ / "work-young"));
  EXPECT_TRUE(fs::exists(parent_ / "other/lock"));
  EXPECT_TRUE(fs::exists(parent_ / "work-link"));
}

}  // namespace
}  // namespace hearth::cli
