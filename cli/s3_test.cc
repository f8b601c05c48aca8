// The pure parts of `hearth s3`: locations, names, what a sync does.
#include <gtest/gtest.h>

#include "cli/s3_location.h"
#include "cli/s3_sync.h"
#include "cli/s3_transfer.h"

namespace hearth::cli {
namespace {

using std::chrono::seconds;

TEST(S3Location, HasBucketAndKey) {
  const auto location = parse_s3_location("s3://photos/2026/cat 1.jpg");
  ASSERT_TRUE(location);
  EXPECT_EQ(location->bucket, "photos");
  EXPECT_EQ(location->key, "2026/cat 1.jpg");
  EXPECT_EQ(location->text(), "s3://photos/2026/cat 1.jpg");
  EXPECT_EQ(parse_s3_location("s3://photos/")->key, "");
  EXPECT_EQ(parse_s3_location("s3://photos/a//b")->key, "a//b");
}

TEST(S3Location, RefusesWhatNamesNoBucket) {
  for (const char* text : {"", "photos", "s3:/photos", "s3://", "s3:///key", "s3://Photos"}) {
    EXPECT_FALSE(parse_s3_location(text)) << text;
  }
}

TEST(S3Location, OfAFolderTakesTheName) {
  EXPECT_EQ(key_for({"b", ""}, "cat.jpg"), "cat.jpg");
  EXPECT_EQ(key_for({"b", "2026/"}, "cat.jpg"), "2026/cat.jpg");
  EXPECT_EQ(key_for({"b", "kitty.jpg"}, "cat.jpg"), "kitty.jpg");
}

TEST(S3Location, KeysOfOthersStayBelowTheFolder) {
  EXPECT_EQ(path_below("/tmp/x", "a/b.txt")->string(), "/tmp/x/a/b.txt");
  for (const char* key : {"../b", "a/../../b", "/etc/passwd", "a//b", "./a", ""}) {
    EXPECT_FALSE(path_below("/tmp/x", key)) << key;
  }
  EXPECT_FALSE(path_below("/tmp/x", std::string("a\0b", 3)));
}

TEST(S3Location, KnowsTypesByName) {
  EXPECT_EQ(content_type_of_name("a/INDEX.HTML"), "text/html");
  EXPECT_EQ(content_type_of_name("noextension"), "binary/octet-stream");
}

const base::WallTime kNoon{seconds(1'700'000'000)};

TEST(S3Sync, CopiesWhatIsMissingLongerOrNewer) {
  const SyncTree source{{"missing", {1, kNoon}},
                        {"longer", {2, kNoon}},
                        {"newer", {1, kNoon + seconds(60)}},
                        {"older", {1, kNoon - seconds(60)}},
                        {"same", {1, kNoon}}};
  const SyncTree target{
      {"longer", {1, kNoon}}, {"newer", {1, kNoon}}, {"older", {1, kNoon}}, {"same", {1, kNoon}}};
  const SyncPlan plan = plan_sync(source, target, SyncRule::kSizeOrNewer);
  EXPECT_EQ(plan.copies, (std::vector<std::string>{"longer", "missing", "newer"}));
  EXPECT_TRUE(plan.removals.empty());
}

TEST(S3Sync, IgnoresTimesWhenToldSo) {
  const SyncTree source{{"newer", {1, kNoon + seconds(60)}}};
  const SyncTree target{{"newer", {1, kNoon}}};
  EXPECT_TRUE(plan_sync(source, target, SyncRule::kSizeOnly).copies.empty());
}

TEST(S3Sync, NamesWhatOnlyTheTargetHas) {
  const SyncPlan plan = plan_sync({}, {{"extra", {1, kNoon}}}, SyncRule::kSizeOrNewer);
  EXPECT_EQ(plan.removals, std::vector<std::string>{"extra"});
}

TEST(S3Transfer, HasAtMostTenThousandParts) {
  EXPECT_EQ(part_bytes_for(0), kS3PartBytes);
  EXPECT_EQ(part_bytes_for(kS3PartBytes * 10'000), kS3PartBytes);
  const std::uint64_t huge = 5ULL << 40;  // 5 TiB, the longest object
  EXPECT_LE((huge + part_bytes_for(huge) - 1) / part_bytes_for(huge), 10'000U);
}

}  // namespace
}  // namespace hearth::cli
