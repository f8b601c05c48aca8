#include "emulator/builder/glob.h"

#include <string>

#include <gtest/gtest.h>

#include "platform/base/text.h"

namespace hearth::builder {
namespace {

bool match_path(std::string_view pattern, std::string_view path) {
  return PathPattern(pattern).matches(base::split(path, '/'));
}

TEST(MatchPath, SpansFoldersOnlyWithTwoStars) {
  EXPECT_TRUE(match_path("*.py", "main.py"));
  EXPECT_FALSE(match_path("*.py", "a/main.py"));
  EXPECT_TRUE(match_path("a/**/z", "a/z"));
  EXPECT_TRUE(match_path("a/**/z", "a/b/c/z"));
  EXPECT_TRUE(match_path("package-lock.json*", "package-lock.json"));
  EXPECT_TRUE(match_path("file[0-9].?", "file7.c"));
}

TEST(MatchPath, FollowsGoWithinAComponent) {
  EXPECT_TRUE(match_path("a*b*c", "a1b2b3c"));
  EXPECT_FALSE(match_path("a*b*c", "a1b2c3"));
  EXPECT_TRUE(match_path("[^a-c]x", "dx"));
  EXPECT_FALSE(match_path("[^a-c]x", "bx"));
  EXPECT_TRUE(match_path("[]-]", "]"));
  EXPECT_TRUE(match_path("\\*", "*"));
  EXPECT_FALSE(match_path("\\*", "x"));
  EXPECT_FALSE(match_path("[a-", "a"));
  EXPECT_FALSE(match_path("*", "a/b"));
}

TEST(MatchPath, TwoStarsAtTheEndTakeWhatIsInside) {
  EXPECT_TRUE(match_path("a/**", "a/b"));
  EXPECT_TRUE(match_path("a/**", "a/b/c"));
  EXPECT_FALSE(match_path("a/**", "a"));
  EXPECT_TRUE(match_path("**", "a"));
  EXPECT_TRUE(match_path("**/**/a", "a"));
}

TEST(MatchPath, TwoStarsInARowTakeWhatOneTakes) {
  for (const std::string_view path : {"a", "b/a", "a/b", "a/b/c/a", "b"}) {
    EXPECT_EQ(match_path("**/**/**/a", path), match_path("**/a", path)) << path;
    EXPECT_EQ(match_path("a/**/**", path), match_path("a/**", path)) << path;
    EXPECT_EQ(match_path("a/**/**/a", path), match_path("a/**/a", path)) << path;
  }
}

TEST(PathPattern, CoversWhatLiesBelowAMatch) {
  const std::string_view path = "a/b/ab/c";
  for (const std::string_view pattern :
       {"a",     "b",      "a/b",    "*/b",         "**",       "**/b", "**/ab",
        "a/**",  "a/**/c", "a/b/**", "a/b/ab/c/**", "a/b/ab/c", "**/c", "**/d",
        "a/*/*", "c",      "",       "a/b/ab/c/d",  "[",        "a?"}) {
    bool expected = false;
    for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
      expected = expected || match_path(pattern, path.substr(0, end));
      if (end == std::string_view::npos) break;
    }
    EXPECT_EQ(PathPattern(pattern).covers(base::split(path, '/')), expected) << pattern;
  }
}

TEST(MatchPath, NoPatternTakesForever) {
  std::string stars, folders, path;
  for (int i = 0; i < 100; ++i) stars += "*a", folders += "**/a/", path += "a/";
  EXPECT_FALSE(match_path(stars + "b", std::string(2000, 'a')));
  EXPECT_FALSE(match_path(folders + "b", path + path + path + "c"));
}

}  // namespace
}  // namespace hearth::builder
