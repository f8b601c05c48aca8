#include "emulator/objectstore/listing.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "emulator/objectstore/meta_store.h"
#include "emulator/objectstore/schema.h"
#include "platform/base/random_id.h"

namespace hearth::objectstore {
namespace {

class ListingTest : public testing::Test {
 public:
  ListingTest()
      : path_(testing::TempDir() + "listing-" + base::random_hex(6)),
        database_(sqlite::Database::open(path_, sqlite::OpenMode::kReadWrite).value()) {
    EXPECT_TRUE(sqlite::migrate(database_, "objectstore", kSchemaSteps));
  }
  ~ListingTest() override {
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }

 protected:
  void add(std::initializer_list<const char*> keys, const char* bucket = "b") {
    for (const char* key : keys) {
      EXPECT_TRUE(meta::put_object(database_, {.bucket = bucket, .key = key}, {}));
    }
  }

  // Names in order, prefixes in brackets, pages separated by "|".
  std::string list(ListQuery query) {
    query.bucket = "b";
    std::string out;
    for (int page = 0; page < 20; ++page) {
      const auto listing = list_keys(database_, query);
      EXPECT_TRUE(listing);
      for (const ListedEntry& entry : listing->entries) {
        out += entry.is_prefix ? "[" + entry.name + "] " : entry.name + " ";
      }
      if (!listing->truncated) return out;
      out += "| ";
      // Through the token, as clients go on.
      query.after = decode_token(encode_token(listing->last())).value();
    }
    return out;
  }

  std::string path_;
  sqlite::Database database_;
};

TEST_F(ListingTest, OrderIsBinaryAndBucketsAreApart) {
  add({"b", "a", "B", "ä", "a/", "a0"});
  add({"other"}, "c");
  EXPECT_EQ(list({}), "B a a/ a0 b ä ");
}

TEST_F(ListingTest, PrefixAndDelimiter) {
  add({"photos/2026/1", "photos/2026/2", "photos/2027/1", "photos/index", "photost", "z"});
  EXPECT_EQ(list({.prefix = "photos/"}), "photos/2026/1 photos/2026/2 photos/2027/1 photos/index ");
  EXPECT_EQ(list({.prefix = "photos/", .delimiter = "/"}),
            "[photos/2026/] [photos/2027/] photos/index ");
  EXPECT_EQ(list({.delimiter = "/"}), "[photos/] photost z ");
  EXPECT_EQ(list({.prefix = "photos/2", .delimiter = "/"}), "[photos/2026/] [photos/2027/] ");
  EXPECT_EQ(list({.delimiter = "tos"}), "[photos] z ");
  EXPECT_EQ(list({.prefix = "none"}), "");
}

TEST_F(ListingTest, PagesCountPrefixesAndNeverRepeatThem) {
  add({"a/1", "a/2", "a/3", "b", "c/1", "c/2", "d"});
  EXPECT_EQ(list({.delimiter = "/", .entries_max = 1}), "[a/] | b | [c/] | d ");
  EXPECT_EQ(list({.delimiter = "/", .entries_max = 2}), "[a/] b | [c/] d ");
  EXPECT_EQ(list({.entries_max = 3}), "a/1 a/2 a/3 | b c/1 c/2 | d ");
  EXPECT_EQ(list({.delimiter = "/", .entries_max = 0}), "");
}

TEST_F(ListingTest, StartAfterAKeyOrAPrefix) {
  add({"a", "a/1", "b", "c"});
  EXPECT_EQ(list({.after = {"a", false}}), "a/1 b c ");
  EXPECT_EQ(list({.after = {"a/", true}}), "b c ");
  EXPECT_EQ(list({.prefix = "b", .after = {"a", false}}), "b ");
  EXPECT_EQ(list({.prefix = "b", .after = {"x", false}}), "");
}

TEST_F(ListingTest, ALastPrefixThatEndsThePageIsNotTruncated) {
  add({"a/1", "a/2"});
  const auto listing = list_keys(database_, {.bucket = "b", .delimiter = "/", .entries_max = 1});
  ASSERT_TRUE(listing);
  EXPECT_FALSE(listing->truncated);
}

TEST(ListingText, AfterPrefixAndTokens) {
  EXPECT_EQ(after_prefix("a/"), "a0");
  EXPECT_EQ(after_prefix("a\xff"), "b");
  EXPECT_EQ(after_prefix("\xff\xff"), std::nullopt);
  EXPECT_EQ(decode_token("!"), std::nullopt);
  EXPECT_EQ(decode_token(""), std::nullopt);
}

}  // namespace
}  // namespace hearth::objectstore
