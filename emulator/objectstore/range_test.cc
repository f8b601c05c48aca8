#include "emulator/objectstore/range.h"

#include <gtest/gtest.h>

#include "platform/s3/error_code.h"

namespace hearth::objectstore {
namespace {

using Range = std::optional<ByteRange>;

TEST(Range, FormsOfRfc9110) {
  EXPECT_EQ(parse_range("bytes=0-4", 10).value(), Range({0, 4}));
  EXPECT_EQ(parse_range("bytes=5-", 10).value(), Range({5, 9}));
  EXPECT_EQ(parse_range("bytes=-3", 10).value(), Range({7, 9}));
  EXPECT_EQ(parse_range("bytes=-30", 10).value(), Range({0, 9}));
  EXPECT_EQ(parse_range("bytes=5-99", 10).value(), Range({5, 9}));
}

TEST(Range, MalformedAndMultipleRangesMeanTheWholeObject) {
  for (const char* text : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "items=0-1",
                           "bytes=0-1,3-4", "bytes=1--2", "bytes=99999999999999999999-"}) {
    const auto range = parse_range(text, 10);
    ASSERT_TRUE(range) << text;
    EXPECT_EQ(*range, std::nullopt) << text;
  }
}

TEST(Range, BeyondTheEndIsUnsatisfiable) {
  for (const char* text : {"bytes=10-", "bytes=10-12", "bytes=-0"}) {
    const auto range = parse_range(text, 10);
    ASSERT_FALSE(range) << text;
    EXPECT_EQ(s3::s3_code(range.error()), "InvalidRange");
    EXPECT_EQ(s3::s3_extra(range.error(), "ActualObjectSize"), "10");
  }
  EXPECT_FALSE(parse_range("bytes=0-", 0));
  EXPECT_FALSE(parse_range("bytes=-1", 0));
}

TEST(Range, CopyRangesMustLieWithinTheSource) {
  EXPECT_EQ(parse_copy_range("bytes=2-9", 10).value(), (ByteRange{2, 9}));
  for (const char* text : {"bytes=2-10", "bytes=2-", "bytes=-2", "2-3", "bytes=3-2"}) {
    EXPECT_FALSE(parse_copy_range(text, 10)) << text;
  }
}

}  // namespace
}  // namespace hearth::objectstore
