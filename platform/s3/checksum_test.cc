#include "platform/s3/checksum.h"

#include <array>

#include <gtest/gtest.h>

namespace hearth::s3 {
namespace {

using enum ChecksumAlgorithm;

TEST(Checksum, KnownAnswersOfTheCheckString) {
  // The "check" values of the CRC catalogue for "123456789", big-endian in base64.
  EXPECT_EQ(checksum(kCrc32, "123456789"), "y/Q5Jg==");
  EXPECT_EQ(checksum(kCrc32c, "123456789"), "4waSgw==");
  EXPECT_EQ(checksum(kCrc64Nvme, "123456789"), "rosUhgp5mIg=");
  EXPECT_EQ(checksum(kSha1, "abc"), "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
  EXPECT_EQ(checksum(kSha256, ""), "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(Checksum, HeadersAndNames) {
  EXPECT_EQ(checksum_header(kCrc64Nvme), "x-amz-checksum-crc64nvme");
  EXPECT_EQ(checksum_of_header("X-Amz-Checksum-Crc32c"), kCrc32c);
  EXPECT_EQ(checksum_of_header("x-amz-checksum-mode"), std::nullopt);
  EXPECT_TRUE(is_checksum_value(kCrc32, "y/Q5Jg=="));
  EXPECT_FALSE(is_checksum_value(kCrc32, "y/Q5"));
}

TEST(Checksum, CombinedEqualsTheChecksumOfTheWhole) {
  const std::string whole(100'000, 'x');
  for (const auto algorithm : {kCrc32, kCrc32c, kCrc64Nvme}) {
    const std::string_view all(whole);
    const std::array parts = {
        PartChecksum{checksum(algorithm, all.substr(0, 70'001)), 70'001},
        PartChecksum{checksum(algorithm, all.substr(70'001, 1)), 1},
        PartChecksum{checksum(algorithm, all.substr(70'002)), all.size() - 70'002}};
    EXPECT_EQ(combined_checksum(algorithm, parts), checksum(algorithm, whole));
  }
  EXPECT_EQ(combined_checksum(kSha256, {}), std::nullopt);
}

TEST(Checksum, CompositeCountsTheParts) {
  const std::array parts = {PartChecksum{checksum(kCrc32, "a"), 1},
                            PartChecksum{checksum(kCrc32, "b"), 1}};
  const auto value = composite_checksum(kCrc32, parts);
  ASSERT_TRUE(value);
  EXPECT_TRUE(value->ends_with("-2"));
}

}  // namespace
}  // namespace hearth::s3
