#include "emulator/builder/tree_path.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/base/random_id.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

class TreePath : public testing::Test {
 public:
  TreePath() : root_(fs::path(testing::TempDir()) / ("tree-" + base::random_hex(6))) {
    fs::create_directories(tree());
    fs::create_directories(outside());
  }
  ~TreePath() override { fs::remove_all(root_); }

 protected:
  static void touch(const fs::path& path) { const std::ofstream file(path); }
  fs::path tree() const { return root_ / "tree"; }
  fs::path outside() const { return root_ / "outside"; }

  fs::path root_;
};

TEST_F(TreePath, FoldersAreMadeInTheTree) {
  EXPECT_EQ(make_folder_in(tree(), "/a/b/").value(), fs::canonical(tree()) / "a/b");
  EXPECT_EQ(make_folder_in(tree(), "/").value(), fs::canonical(tree()));
  EXPECT_TRUE(fs::is_directory(tree() / "a/b"));
}

TEST_F(TreePath, NoPathClimbsOutOfTheTree) {
  EXPECT_EQ(make_folder_in(tree(), "/../../climbed").value(), fs::canonical(tree()) / "climbed");
  EXPECT_FALSE(fs::exists(root_ / "climbed"));
}

TEST_F(TreePath, ALinkMeansAPlaceInTheTree) {
  fs::create_symlink("/real", tree() / "app");
  fs::create_directory(tree() / "real");
  EXPECT_EQ(make_folder_in(tree(), "/app/made").value(), fs::canonical(tree()) / "real/made");
}

TEST_F(TreePath, ALinkThatLeavesTheTreeIsNoFolder) {
  fs::create_symlink(outside(), tree() / "app");
  const auto made = make_folder_in(tree(), "/app/made");
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Code::kPreconditionFailed);
  EXPECT_EQ(made.error().message, "the image has /app, which is no folder");
  EXPECT_TRUE(fs::is_empty(outside()));
}

TEST_F(TreePath, FoldersAreFoundInTheTreeOnly) {
  fs::create_symlink(root_, tree() / "up");
  fs::create_directory(tree() / "own");
  EXPECT_TRUE(has_folder_in(tree(), "/own"));
  EXPECT_FALSE(has_folder_in(tree(), "/up/outside"));
  EXPECT_FALSE(has_folder_in(tree(), "/up")) << "a link is no folder";
}

TEST_F(TreePath, OnlyWhatIsEmptyIsRemoved) {
  fs::create_directories(tree() / "kept");
  std::ofstream(tree() / "kept/file") << "content";
  touch(tree() / "empty");
  fs::create_directory(tree() / "folder");
  for (const char* path : {"kept", "kept/file", "empty", "folder"}) remove_empty_in(tree(), path);
  EXPECT_TRUE(fs::exists(tree() / "kept/file"));
  EXPECT_FALSE(fs::exists(tree() / "empty"));
  EXPECT_FALSE(fs::exists(tree() / "folder"));
}

TEST_F(TreePath, NothingIsRemovedBehindALink) {
  fs::create_symlink(outside(), tree() / "etc");
  touch(outside() / "hosts");
  remove_empty_in(tree(), "etc/hosts");
  EXPECT_TRUE(fs::exists(outside() / "hosts"));
}

}  // namespace
}  // namespace hearth::builder
