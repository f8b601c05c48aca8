#include "emulator/builder/host_tools.h"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/base/random_id.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HostToolsTest : public testing::Test {
 public:
  HostToolsTest() : root_(fs::canonical(testing::TempDir()) / ("tools-" + base::random_hex(6))) {
    fs::create_directories(home() / ".local/share/hearth");
    fs::create_directories(home() / ".local/bin");
  }
  ~HostToolsTest() override { fs::remove_all(root_); }

 protected:
  fs::path home() const { return root_ / "home"; }

  // A program that answers every question with `answer`.
  fs::path put_program(const fs::path& path, const std::string& answer) {
    put(path, "#!/bin/sh\necho '" + answer + "'\n");
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }
  fs::path put(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return path;
  }
  // As unpacked from the official archive.
  void put_node(const fs::path& prefix) {
    put_program(prefix / "bin/node", (prefix / "bin/node").string());
    put(prefix / "lib/node_modules/npm/package.json", "{}");
    put_program(prefix / "lib/node_modules/npm/bin/npm-cli.js", "");
    fs::create_symlink("../lib/node_modules/npm/bin/npm-cli.js", prefix / "bin/npm");
  }
  HostTools find(const fs::path& folder) {
    return find_host_tools(folder.string(), {home(), home() / ".local/share"});
  }

  fs::path root_;
};

TEST_F(HostToolsTest, ALinkInTheHomeFolderShowsTheToolsOwnFolderOnly) {
  const fs::path prefix = home() / ".local/node-v20";
  put_node(prefix);
  fs::create_symlink(prefix / "bin/node", home() / ".local/bin/node");
  fs::create_symlink(prefix / "bin/npm", home() / ".local/bin/npm");
  const HostTools tools = find(home() / ".local/bin");
  EXPECT_THAT(tools.places, ElementsAre(prefix));
  EXPECT_EQ(tools.path.front(), (prefix / "bin").string());
  EXPECT_EQ(tools.programs.at("npm"), prefix / "lib/node_modules/npm/bin/npm-cli.js");
  EXPECT_THAT(tools.left_out, IsEmpty());
}

TEST_F(HostToolsTest, AToolSpreadOverASharedFolderShowsItsPieces) {
  put_node(home() / ".local");
  const HostTools tools = find(home() / ".local/bin");
  EXPECT_THAT(tools.places,
              ElementsAre(home() / ".local/bin/node", home() / ".local/lib/node_modules/npm"));
}

TEST_F(HostToolsTest, ASingleProgramInTheHomeFolderShowsNothingElse) {
  put_program(home() / "bin/node", (home() / "bin/node").string());
  EXPECT_THAT(find(home() / "bin").places, ElementsAre(home() / "bin/node"));
}

TEST_F(HostToolsTest, AVersionManagersShimIsAskedWhereItLeads) {
  const fs::path prefix = home() / ".versions/node/20";
  put_node(prefix);
  put_program(home() / ".versions/shims/node", (prefix / "bin/node").string());
  EXPECT_THAT(find(home() / ".versions/shims").places, ElementsAre(prefix));
}

TEST_F(HostToolsTest, AToolWhoseFolderIsTheHomeIsLeftOutWithWhatToDo) {
  put_program(home() / "bin/go", home().string());
  fs::create_directory(home() / "src");
  const HostTools tools = find(home() / "bin");
  EXPECT_THAT(tools.places, IsEmpty());
  ASSERT_EQ(tools.left_out.size(), 1U);
  EXPECT_THAT(tools.left_out[0], HasSubstr((home() / "bin/go").string() + " is not shown"));
  EXPECT_THAT(tools.left_out[0], HasSubstr("in a folder of its own"));
}

TEST_F(HostToolsTest, ALaterToolOnThePathIsTakenInstead) {
  put_program(home() / "bin/go", home().string());
  fs::create_directory(home() / "src");
  put_program(root_ / "go/bin/go", (root_ / "go").string());
  fs::create_directory(root_ / "go/src");
  const HostTools tools = find((home() / "bin").string() + ":" + (root_ / "go/bin").string());
  EXPECT_THAT(tools.places, ElementsAre(root_ / "go"));
  EXPECT_EQ(tools.programs.at("go"), root_ / "go/bin/go");
}

TEST_F(HostToolsTest, PythonIsLeftOutWhenItsPrefixHoldsTheState) {
  put_program(home() / ".local/bin/python3", (home() / ".local").string());
  const HostTools tools = find(home() / ".local/bin");
  EXPECT_EQ(tools.python, "");
  EXPECT_THAT(tools.places, IsEmpty());
  EXPECT_THAT(tools.left_out, ElementsAre(HasSubstr("python3")));
}

TEST_F(HostToolsTest, OfAVirtualEnvironmentWhoseBaseIsLeftOutNothingIsShown) {
  const fs::path venv = root_ / "venv";
  put_program(home() / "bin/python3", venv.string());
  fs::create_directories(venv / "bin");
  fs::create_symlink(home() / "bin/python3", venv / "bin/python3");
  const HostTools tools = find(venv / "bin");
  EXPECT_THAT(tools.left_out, ElementsAre(HasSubstr("python3")));
  EXPECT_THAT(tools.places, IsEmpty());
}

TEST_F(HostToolsTest, OfHomebrewLoaderAndLibrariesAreShownButNoDataOfServices) {
  const fs::path brew = home() / ".linuxbrew";
  const fs::path keg = brew / "Cellar/node/20";
  put_node(keg);
  for (const char* name : {"bin", "lib", "opt", "var"}) fs::create_directories(brew / name);
  fs::create_symlink("../Cellar/node/20/bin/node", brew / "bin/node");
  EXPECT_THAT(find(brew / "bin").places,
              ElementsAre(keg, brew / "Cellar", brew / "lib", brew / "opt"));
}

TEST(GuardedFolders, AreNotShownNorWhatHoldsThem) {
  const std::vector<fs::path> guarded = {"/home/me", "/home/me/.local/share", "/srv/hearth"};
  for (const char* folder :
       {"/", "/home", "/home/me", "/home/you", "/home/me/.local", "/opt", "/srv", "/srv/hearth"}) {
    EXPECT_TRUE(exposes(folder, guarded)) << folder;
  }
  for (const char* folder : {"/home/me/.local/node", "/opt/node", "/srv/hearth-tools"}) {
    EXPECT_FALSE(exposes(folder, guarded)) << folder;
  }
}

}  // namespace
}  // namespace hearth::builder
