#include "emulator/builder/command.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/base/random_id.h"
#include "platform/process/testing/kernel.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

TEST(RunCommand, AnOverlayThatCanNotBeMountedStartsNothingAndSaysWhatToDo) {
  const fs::path root = fs::path(testing::TempDir()) / ("command-" + base::random_hex(6));
  fs::create_directories(root / "tree/usr");
  const auto outcome =
      run_command({.root = root / "tree",
                   .mounts = {{.kind = process::Mount::Kind::kOverlay,
                               .source = root / "absent",
                               .target = root / "tree/usr",
                               .options = root / "work"}},
                   .argv = {"/bin/true"},
                   .deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10)});
  fs::remove_all(root);
  ASSERT_FALSE(outcome);
  if (!process::kernel::gives_namespaces()) {
    EXPECT_EQ(outcome.error().code, Code::kUnavailable) << outcome.error().message;
    GTEST_SKIP() << "the kernel withholds namespaces";
  }
  EXPECT_EQ(outcome.error().code, Code::kPreconditionFailed);
  EXPECT_THAT(outcome.error().message, HasSubstr("put --state on ext4 or xfs"));
  EXPECT_THAT(outcome.error().message, HasSubstr("or don't write below /usr"));
}

}  // namespace
}  // namespace hearth::builder
