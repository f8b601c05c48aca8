#include "platform/resource/posix_pattern.h"

#include <gtest/gtest.h>
#include <regex.h>

namespace hearth::resource {
namespace {

bool matches(const std::string& pattern, const std::string& text) {
  regex_t regex{};
  EXPECT_EQ(::regcomp(&regex, to_posix_pattern(pattern).c_str(), REG_EXTENDED | REG_NOSUB), 0)
      << pattern;
  const bool matched = ::regexec(&regex, text.c_str(), 0, nullptr, 0) == 0;
  ::regfree(&regex);
  return matched;
}

TEST(PosixPattern, TranslatesClassesAndGroups) {
  EXPECT_TRUE(matches(R"(^(?:0(\.\d+)?|1)$)", "0.25"));
  EXPECT_FALSE(matches(R"(^(?:0(\.\d+)?|1)$)", "0.x"));
  EXPECT_TRUE(matches(R"(^\S+$)", "a-b"));
  EXPECT_FALSE(matches(R"(^\S+$)", "a b"));
}

TEST(PosixPattern, TranslatesHexadecimalEscapesWithinBrackets) {
  const std::string printable = R"(^[^\x00-\x1f\x7f]+$)";
  for (const char* text : {"fn.tar.gz", "0", "x1f", "A\\b", "late/main.py"}) {
    EXPECT_TRUE(matches(printable, text)) << text;
  }
  for (const char* text : {"a\x01", "a\nb", "\x7f"}) EXPECT_FALSE(matches(printable, text));
}

TEST(PosixPattern, KeepsEscapedBracketsAndDashesAsMembers) {
  const std::string ref = R"(^([^-/\s~^:?*\[\\\x00-\x1f\x7f][^\s~^:?*\[\\\x00-\x1f\x7f]*)?$)";
  for (const char* text : {"main", "v1.0", "feature/x-1", "0f"}) {
    EXPECT_TRUE(matches(ref, text)) << text;
  }
  for (const char* text : {"-x", "/x", "a b", "a~1", "a\\b", "a[0", "a^"}) {
    EXPECT_FALSE(matches(ref, text)) << text;
  }
  EXPECT_TRUE(matches(R"(^[a-z\-\]]+$)", "a-]"));
  EXPECT_TRUE(matches(R"(^[]a-]+$)", "]a-"));
  EXPECT_TRUE(matches(R"(^[-a-zA-Z0-9.]*$)", "a-9.Z"));
}

TEST(PosixPattern, KeepsEscapedMetacharactersOutsideOfBrackets) {
  EXPECT_TRUE(matches(R"((^|/)\.\.(/|$))", "a/../b"));
  EXPECT_FALSE(matches(R"((^|/)\.\.(/|$))", "a/bc/d"));
  EXPECT_TRUE(matches(R"(^\x2e\x41$)", ".A"));
}

}  // namespace
}  // namespace hearth::resource
