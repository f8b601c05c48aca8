#include "emulator/builder/host_view.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/base/random_id.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class HostViewTest : public testing::Test {
 public:
  HostViewTest() : root_(fs::canonical(testing::TempDir()) / ("view-" + base::random_hex(6))) {
    for (const char* name : {"tree", "scratch", "caches", "home"}) {
      fs::create_directories(root_ / name);
    }
    if (const char* home = std::getenv("HOME")) old_home_ = home;
    ::setenv("HOME", (root_ / "home").c_str(), 1);
  }
  ~HostViewTest() override {
    ::setenv("HOME", old_home_.c_str(), 1);
    fs::remove_all(root_);
  }

 protected:
  Result<std::unique_ptr<HostView>> prepare(
      HostCredentials credentials = HostCredentials::kWithhold) {
    return HostView::prepare(tools_, {.tree = root_ / "tree",
                                      .scratch = root_ / "scratch",
                                      .caches = root_ / "caches",
                                      .state = {},
                                      .guarded = {},
                                      .credentials = credentials});
  }
  static std::vector<std::string> sources(const HostView& view) {
    std::vector<std::string> out;
    for (const auto& mount : view.mounts()) out.push_back(mount.source);
    return out;
  }

  fs::path root_;
  std::string old_home_;
  HostTools tools_;
};

TEST_F(HostViewTest, LeavesNothingInTheTree) {
  ASSERT_TRUE(prepare());
  EXPECT_TRUE(fs::is_empty(root_ / "tree"));
}

TEST_F(HostViewTest, ShowsNoFolderOfKeys) {
  const auto view = prepare();
  ASSERT_TRUE(view) << view.error().message;
  for (const char* folder : {"/etc", "/etc/ssl", "/etc/ssh", "/etc/shadow", "/opt", "/root"}) {
    EXPECT_THAT(sources(**view), Not(Contains(folder)));
  }
  EXPECT_THAT(sources(**view), Contains("/etc/hosts"));
}

TEST_F(HostViewTest, SettingsWithCredentialsAreShownOnlyWhenToldSo) {
  const std::string settings = (root_ / "home/.npmrc").string();
  std::ofstream(settings) << "//registry.npmjs.org/:_authToken=abc\n";
  const auto held = prepare();
  ASSERT_TRUE(held);
  EXPECT_THAT(sources(**held), Not(Contains(settings)));
  EXPECT_THAT((*held)->withheld(), Contains(settings));
  const auto told = prepare(HostCredentials::kPass);
  ASSERT_TRUE(told);
  EXPECT_THAT(sources(**told), Contains(settings));
}

TEST_F(HostViewTest, SettingsWithoutCredentialsAreShown) {
  const std::string settings = (root_ / "home/.npmrc").string();
  std::ofstream(settings) << "registry=http://127.0.0.1:4873/\n";
  const auto view = prepare();
  ASSERT_TRUE(view);
  EXPECT_THAT(sources(**view), Contains(settings));
}

TEST_F(HostViewTest, AToolsSettingsWithCredentialsAreCovered) {
  const fs::path node = root_ / "node";
  fs::create_directories(node / "etc");
  std::ofstream(node / "etc/npmrc") << "_auth=abc\n";
  tools_.places = {node};
  const auto view = prepare();
  ASSERT_TRUE(view);
  const auto& last = (*view)->mounts().back();
  EXPECT_THAT(last.target, HasSubstr("node/etc/npmrc"));
  EXPECT_EQ(last.source, (root_ / "scratch/empty").string());
}

TEST_F(HostViewTest, WhatIsShownBelowRunOrTmpIsMountedAfterTheirMemory) {
  const fs::path venv = fs::path("/tmp") / (root_.filename().string() + "-venv");
  fs::create_directories(venv / "bin");
  tools_.places = {venv};
  const auto view = prepare();
  fs::remove_all(venv);
  ASSERT_TRUE(view) << view.error().message;
  const auto at = [&](const fs::path& place) {
    return std::ranges::find((*view)->mounts(), (root_ / "tree" / place.relative_path()).string(),
                             &process::Mount::target);
  };
  EXPECT_EQ(at("/tmp")->kind, process::Mount::Kind::kTmpfs);
  EXPECT_EQ(at(venv)->kind, process::Mount::Kind::kFolder);
  EXPECT_LT(at("/tmp"), at(venv));
  EXPECT_LT(at("/run"), at(venv));
  EXPECT_EQ((*view)->env().at("HOME"), "/tmp");
  EXPECT_FALSE(fs::exists(root_ / "tree" / venv.relative_path()));
}

TEST_F(HostViewTest, AFolderIsMountedBeforeWhatLiesInIt) {
  fs::create_directories(root_ / "tree/tmp");  // the image's own: no memory there
  fs::create_directories(root_ / "tools/node/bin");
  tools_.places = {root_ / "tools/node", root_ / "tools"};
  const auto view = prepare();
  ASSERT_TRUE(view) << view.error().message;
  EXPECT_THAT(sources(**view), Contains((root_ / "tools").string()));
  EXPECT_THAT(sources(**view), Not(Contains((root_ / "tools/node").string())));
}

TEST_F(HostViewTest, TheImagesOwnFilesComeFirst) {
  fs::create_directories(root_ / "tree/etc");
  std::ofstream(root_ / "tree/etc/hosts") << "own";
  const auto view = prepare();
  ASSERT_TRUE(view);
  EXPECT_THAT(sources(**view), Not(Contains("/etc/hosts")));
}

TEST_F(HostViewTest, AFileInTheWayIsAnErrorOfTheImage) {
  std::ofstream(root_ / "tree/run") << "x";
  const auto view = prepare();
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, Code::kPreconditionFailed);
  EXPECT_THAT(view.error().message, HasSubstr("/run, which is no folder"));
}

}  // namespace
}  // namespace hearth::builder
