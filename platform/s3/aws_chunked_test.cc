#include "platform/s3/aws_chunked.h"

#include <gtest/gtest.h>

#include "platform/base/bytes.h"
#include "platform/base/hash.h"
#include "platform/s3/error_code.h"
#include "platform/s3/sigv4.h"

namespace hearth::s3 {
namespace {

// The example of "Signature Calculations for the Authorization Header: Transferring Payload in
// Multiple Chunks" in Amazon's S3 API reference: 65 KiB of "a".
ChunkSigning published_signing(const char* seed) {
  return {
      .key = signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "20130524", "us-east-1", "s3"),
      .timestamp = "20130524T000000Z",
      .scope = "20130524/us-east-1/s3/aws4_request",
      .seed_signature = seed};
}
constexpr const char* kSeed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

std::string published_body() {
  return "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"
         "\r\n" +
         std::string(65536, 'a') +
         "\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"
         "\r\n" +
         std::string(1024, 'a') +
         "\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"
         "\r\n\r\n";
}

// Feeds `piece` bytes at a time and returns the decoded bytes.
Result<std::string> decode(AwsChunkedDecoder& decoder, std::string_view body, std::size_t piece) {
  std::string out, waiting;
  while (!body.empty()) {
    waiting += body.substr(0, piece);
    body.remove_prefix(std::min(piece, body.size()));
    while (!waiting.empty()) {
      HEARTH_TRY(step, decoder.decode(waiting));
      if (step.consumed == 0) break;
      out += step.data;
      waiting.erase(0, step.consumed);
    }
  }
  HEARTH_CHECK_OK(decoder.finish(waiting));
  return out;
}

TEST(AwsChunked, PublishedExampleWholeAndInPieces) {
  for (const std::size_t piece : {1UL << 20, 1000UL, 7UL}) {
    AwsChunkedDecoder decoder(ChunkedMode::kSigned, published_signing(kSeed));
    const auto out = decode(decoder, published_body(), piece);
    ASSERT_TRUE(out) << out.error().message;
    EXPECT_EQ(*out, std::string(66560, 'a'));
  }
}

TEST(AwsChunked, AChangedByteBreaksTheSignature) {
  std::string body = published_body();
  body[30'000] = 'b';
  AwsChunkedDecoder decoder(ChunkedMode::kSigned, published_signing(kSeed));
  EXPECT_EQ(s3_code(decode(decoder, body, 4096).error()), "SignatureDoesNotMatch");
}

TEST(AwsChunked, ATornBodyIsIncomplete) {
  const std::string body = published_body();
  for (const std::size_t size : {10UL, 30'000UL, 65'620UL, body.size() - 120}) {
    AwsChunkedDecoder decoder(ChunkedMode::kSigned, published_signing(kSeed));
    const auto out = decode(decoder, std::string_view(body).substr(0, size), 4096);
    ASSERT_FALSE(out) << size;
    EXPECT_EQ(s3_code(out.error()), "IncompleteBody");
  }
}

// The published example with a trailer: x-amz-checksum-crc32c:sOO8/Q==
TEST(AwsChunked, PublishedExampleWithTrailer) {
  const std::string body =
      "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" +
      std::string(65536, 'a') +
      "\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"
      "\r\n" +
      std::string(1024, 'a') +
      "\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
      "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
      "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n";
  const char* seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
  AwsChunkedDecoder decoder(ChunkedMode::kSignedTrailer, published_signing(seed));
  const auto out = decode(decoder, body, 1000);
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(decoder.trailers().get_or("x-amz-checksum-crc32c", ""), "sOO8/Q==");

  std::string forged = body;
  forged.replace(forged.find("sOO8"), 4, "AAAA");
  AwsChunkedDecoder strict(ChunkedMode::kSignedTrailer, published_signing(seed));
  EXPECT_EQ(s3_code(decode(strict, forged, 1000).error()), "SignatureDoesNotMatch");
}

TEST(AwsChunked, UnsignedWithAndWithoutTrailer) {
  AwsChunkedDecoder decoder(ChunkedMode::kUnsignedTrailer, {});
  EXPECT_EQ(decode(decoder, "5\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n", 3),
            "hello!");
  EXPECT_EQ(decoder.trailers().get_or("X-Amz-Checksum-Crc32", ""), "AAAA");
  AwsChunkedDecoder minio(ChunkedMode::kUnsignedTrailer, {});
  EXPECT_EQ(decode(minio, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA\n\r\n\r\n", 3), "hello");
  AwsChunkedDecoder bare(ChunkedMode::kUnsignedTrailer, {});
  EXPECT_EQ(decode(bare, "5\r\nhello\r\n0\r\n\r\n", 100), "hello");
}

TEST(AwsChunked, RefusesMalformedAndUnboundedInput) {
  const std::string long_head(300, '1');
  const std::string long_trailer = "0\r\n" + std::string(5000, 'x');
  for (const std::string& body :
       {std::string("zz\r\n"), std::string("-5\r\nhello"), std::string("5\r\nhelloXX0\r\n\r\n"),
        long_head, long_trailer, std::string("0\r\nno colon\r\n\r\n"), std::string("0\r\n\r\nmore"),
        std::string("0\r\n\r\n\r\n\r\n"), std::string("0\r\n\r\n\r"),
        std::string("ffffffffffffffff\r\na"), std::string("0\r\nx-amz-checksum-crc32:AAAA"),
        std::string("0\r\n\r")}) {
    AwsChunkedDecoder decoder(ChunkedMode::kUnsignedTrailer, {});
    EXPECT_FALSE(decode(decoder, body, 10'000)) << body.substr(0, 20);
  }
}

}  // namespace
}  // namespace hearth::s3
