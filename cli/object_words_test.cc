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

TEST(ObjectWords, OfOneKindAreGathered) {
  const Json resource{{"resource", "lambdafunctions"},
                      {"responseKind", {{"kind", "LambdaFunction"}}},
                      {"scope", "Namespaced"},
                      {"shortNames", {"lf"}}};
  const Json version{{"version", "v1alpha1"}, {"resources", Json::array({resource})}};
  const Json group{{"metadata", {{"name", "lambda.knative.io"}}},
                   {"versions", Json::array({version})}};
  Kinds kinds;
  ASSERT_TRUE(kinds.add_groups({{"items", Json::array({group})}}));
  const auto names = [&](const std::vector<std::string>& words) {
    const auto found = kinds_of(parsed(words), kinds);
    EXPECT_TRUE(found);
    EXPECT_EQ(found->size(), 1U);
    return found->front().names;
  };
  EXPECT_THAT(names({"lf,functions"}), testing::IsEmpty());
  EXPECT_THAT(names({"lf,functions", "a", "b"}), ElementsAre("a", "b"));
  EXPECT_THAT(names({"lf/a", "function/b", "lambdafunctions/a"}), ElementsAre("a", "b"));
  EXPECT_FALSE(kinds_of(parsed({"lf,nothing"}), kinds));
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
