#include "platform/s3/names.h"

#include <gtest/gtest.h>

#include "platform/s3/error_code.h"

namespace hearth::s3 {
namespace {

TEST(BucketName, FollowsTheDnsRules) {
  for (const char* good : {"abc", "my.bucket-1", "123", "a.b.c"}) {
    EXPECT_TRUE(check_bucket_name(good)) << good;
  }
  for (const char* bad : {"ab", "Abc", "a_b", "-abc", "abc-", "a..b", "192.168.0.1", "xn--abc",
                          "abc-s3alias", "a/b"}) {
    const Status status = check_bucket_name(bad);
    ASSERT_FALSE(status) << bad;
    EXPECT_EQ(s3_code(status.error()), "InvalidBucketName");
  }
  EXPECT_FALSE(check_bucket_name(std::string(64, 'a')));
}

TEST(Key, AnyUtf8UpTo1024Bytes) {
  for (const char* good : {"a//b", "..", "/", "grüße ☃", "a=b&c"}) EXPECT_TRUE(check_key(good));
  EXPECT_TRUE(check_key(std::string(1024, 'k')));
  EXPECT_EQ(s3_code(check_key(std::string(1025, 'k')).error()), "KeyTooLongError");
  EXPECT_FALSE(check_key("\xff"));
}

}  // namespace
}  // namespace hearth::s3
