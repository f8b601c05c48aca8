#include "emulator/builder/stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::builder {
namespace {

TEST(Stage, KnowsAFolderAndThoseAboveIt) {
  StageState stage;
  stage.add_folder("/app/lib/");
  stage.add_folder("/");
  EXPECT_THAT(stage.folders, testing::UnorderedElementsAre("/app", "/app/lib"));
}

TEST(Stage, LooksAtEachFolderOfManyFilesOnce) {
  constexpr std::size_t kFiles = 50'000;
  constexpr std::size_t kDepth = 200;
  StageState stage;
  std::string folder;
  std::size_t looked_at = 0;
  for (std::size_t i = 0; i < kFiles; ++i) {
    if (i < kDepth) folder += "/d";
    looked_at += stage.add_folder(folder);
  }
  EXPECT_EQ(stage.folders.size(), kDepth);
  EXPECT_LE(looked_at, kFiles + kDepth);
}

}  // namespace
}  // namespace hearth::builder
