#include "cli/merge.h"

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

Json config_map(Json data) {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", "words"}}},
          {"data", std::move(data)}};
}

TEST(Merge, RemovesWhatTheLastManifestHadAndThisOneLacks) {
  const Json live = with_last_applied(config_map({{"a", "1"}, {"b", "2"}}));
  const Json merged = merge_applied(live, config_map({{"a", "1"}}));
  EXPECT_EQ(merged["data"], Json({{"a", "1"}}));
}

TEST(Merge, KeepsWhatOthersSet) {
  Json live = with_last_applied(config_map({{"a", "1"}}));
  live["data"]["theirs"] = "2";
  live["metadata"]["labels"]["team"] = "x";
  const Json merged = merge_applied(live, config_map({{"a", "3"}}));
  EXPECT_EQ(merged["data"], Json({{"a", "3"}, {"theirs", "2"}}));
  EXPECT_EQ(merged["metadata"]["labels"]["team"], "x");
}

TEST(Merge, KeepsAnnotationsOfOthersAlsoWhereKubectlNotedAnEmptyMapOfThem) {
  Json noted = config_map({{"a", "1"}});
  noted["metadata"]["annotations"] = Json::object();
  Json live = config_map({{"a", "1"}});
  live["metadata"]["annotations"] = {{kLastApplied, base::dump_json(noted)}, {"theirs", "2"}};
  const Json merged = merge_applied(live, config_map({{"a", "1"}}));
  EXPECT_EQ(merged["metadata"]["annotations"]["theirs"], "2");
  EXPECT_TRUE(merged["metadata"]["annotations"].contains(kLastApplied));
}

TEST(Merge, ReplacesListsWhole) {
  Json live = with_last_applied(config_map({}));
  live["spec"]["items"] = {1, 2, 3};
  Json manifest = config_map({});
  manifest["spec"]["items"] = Json::array({4});
  EXPECT_EQ(merge_applied(live, manifest)["spec"]["items"], Json::array({4}));
}

TEST(Merge, NeverTouchesTheStatus) {
  Json live = with_last_applied(config_map({}));
  live["status"]["phase"] = "Ready";
  Json manifest = config_map({});
  manifest["status"]["phase"] = "Forged";
  EXPECT_EQ(merge_applied(live, manifest)["status"]["phase"], "Ready");
}

TEST(Merge, RemembersTheFieldsOfAManifestThatIsTooLongForAnAnnotation) {
  const std::string code(600'000, 'x');
  const Json live =
      with_last_applied(config_map({{"code", code}, {"short", "kept"}, {"gone", "1"}}));
  const std::string remembered = live["metadata"]["annotations"][kLastApplied];
  EXPECT_LT(remembered.size(), 1000U);
  EXPECT_EQ(base::parse_json(remembered)->at("data"),
            Json({{"code", ""}, {"short", "kept"}, {"gone", "1"}}));
  const Json merged = merge_applied(live, config_map({{"code", code + "y"}}));
  EXPECT_EQ(merged["data"], Json({{"code", code + "y"}}));
}

TEST(Merge, TakesAnnotationsThatAreNullAsNone) {
  Json manifest = config_map({});
  manifest["metadata"]["annotations"] = nullptr;
  EXPECT_TRUE(with_last_applied(manifest)["metadata"]["annotations"].contains(kLastApplied));
}

TEST(Merge, RemembersTheManifestWithoutWhatItRememberedBefore) {
  const Json twice = with_last_applied(with_last_applied(config_map({{"a", "1"}})));
  const std::string remembered = twice["metadata"]["annotations"][kLastApplied];
  EXPECT_EQ(base::parse_json(remembered)->at("data"), Json({{"a", "1"}}));
  EXPECT_EQ(remembered.find(kLastApplied), std::string::npos);
}

}  // namespace
}  // namespace hearth::cli
