#include "cli/object_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

using testing::ElementsAre;

std::vector<ObjectWords> parsed(const std::vector<std::string>& words) {
  const auto objects = parse_object_words(words);
  EXPECT_TRUE(objects) << objects.error().message;
  return objects.value_or(std::vector<ObjectWords>{});
}

TEST(ObjectWords, AreATypeAndNames) {
  EXPECT_THAT(parsed({"pods"}), ElementsAre(ObjectWords{"pods", {}}));
  EXPECT_THAT(parsed({"pods", "a", "b"}), ElementsAre(ObjectWords{"pods", {"a", "b"}}));
}

TEST(ObjectWords, AreSeveralTypesOfTheSameNames) {
  EXPECT_THAT(parsed({"cm,secrets", "a"}),
              ElementsAre(ObjectWords{"cm", {"a"}}, ObjectWords{"secrets", {"a"}}));
  EXPECT_THAT(parsed({"cm,cm"}), ElementsAre(ObjectWords{"cm", {}}));
}

TEST(ObjectWords, ArePairsGatheredByType) {
  EXPECT_THAT(parsed({"cm/a", "lf/x", "cm/b"}),
              ElementsAre(ObjectWords{"cm", {"a", "b"}}, ObjectWords{"lf", {"x"}}));
}

TEST(ObjectWords, ThatMixTheFormsAreRefused) {
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"cm/a", "b"},
                                                                                     {"cm", "lf/a"},
                                                                                     {"cm/"},
                                                                                     {"/a"},
                                                                                     {"a,b/c"},
                                                                                     {"a/b/c"},
                                                                                     {"a,,b"},
                                                                                     {""},
                                                                                     {"cm", ""}}) {
    const auto objects = parse_object_words(words);
    ASSERT_FALSE(objects) << words.front();
    EXPECT_EQ(objects.error().code, Code::kBadRequest);
  }
}

}  // namespace
}  // namespace hearth::cli
