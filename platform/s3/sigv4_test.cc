#include "platform/s3/sigv4.h"

#include <gtest/gtest.h>

#include "platform/base/bytes.h"
#include "platform/base/hash.h"
#include "platform/s3/error_code.h"

namespace hearth::s3 {
namespace {

// The examples of "Authenticating Requests: Using the Authorization Header" and "… Query
// Parameters" in Amazon's S3 API reference.
constexpr std::string_view kSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
constexpr std::string_view kScope = "20130524/us-east-1/s3/aws4_request";
const base::WallTime kThen = *parse_timestamp("20130524T000000Z");

http::RequestHead head_of(std::string method, std::string target,
                          std::initializer_list<std::pair<const char*, std::string>> headers) {
  http::RequestHead head{.method = std::move(method), .target = std::move(target), .headers = {}};
  for (const auto& [name, value] : headers) head.headers.add(name, value);
  return head;
}

std::string authorization(const char* signed_headers, const char* signature) {
  return "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/" + std::string(kScope) +
         ",SignedHeaders=" + signed_headers + ",Signature=" + signature;
}

Result<std::string> check(const http::RequestHead& head, base::WallTime now = kThen,
                          std::string_view region = "us-east-1") {
  SigningKeyCache cache;
  auto parsed = parse_authorization(head);
  if (!parsed) return fail(parsed.error());
  if (!*parsed) return std::string("anonymous");
  return verify(head, **parsed, {.secret = kSecret, .region = region, .now = now}, cache);
}

http::RequestHead published_get() {
  return head_of(
      "GET", "/test.txt",
      {{"Host", "examplebucket.s3.amazonaws.com"},
       {"Range", "bytes=0-9"},
       {"x-amz-content-sha256", std::string(kEmptySha256)},
       {"x-amz-date", "20130524T000000Z"},
       {"Authorization",
        authorization("host;range;x-amz-content-sha256;x-amz-date",
                      "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")}});
}

TEST(SigV4, PublishedGetObject) { EXPECT_TRUE(check(published_get())); }

TEST(SigV4, PublishedPutObject) {
  const auto head = head_of(
      "PUT", "/test$file.text",
      {{"Host", "examplebucket.s3.amazonaws.com"},
       {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
       {"x-amz-date", "20130524T000000Z"},
       {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
       {"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
       {"Authorization",
        authorization("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                      "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")}});
  EXPECT_TRUE(check(head));
}

TEST(SigV4, PublishedLifecycleAndList) {
  const auto get = [](const char* target, const char* signature) {
    return head_of(
        "GET", target,
        {{"Host", "examplebucket.s3.amazonaws.com"},
         {"x-amz-date", "20130524T000000Z"},
         {"x-amz-content-sha256", std::string(kEmptySha256)},
         {"Authorization", authorization("host;x-amz-content-sha256;x-amz-date", signature)}});
  };
  EXPECT_TRUE(check(
      get("/?lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")));
  EXPECT_TRUE(check(get("/?max-keys=2&prefix=J",
                        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")));
}

TEST(SigV4, PublishedPresignedGet) {
  const auto head = head_of(
      "GET",
      "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524"
      "%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-"
      "SignedHeaders=host&X-Amz-Signature="
      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
      {{"Host", "examplebucket.s3.amazonaws.com"}});
  EXPECT_TRUE(check(head));
  EXPECT_TRUE(check(head, kThen + std::chrono::hours(24)));
  const auto expired = check(head, kThen + std::chrono::hours(25));
  ASSERT_FALSE(expired);
  EXPECT_EQ(s3_code(expired.error()), "AccessDenied");
  EXPECT_EQ(expired.error().message, "Request has expired");
}

TEST(SigV4, SignsAndPresignsWhatItVerifies) {
  const Credentials credentials{"AKIAIOSFODNN7EXAMPLE", std::string(kSecret), "token"};
  auto head = head_of("PUT", "/b/a%20b%2Bc/%C3%BC?x-id=PutObject",
                      {{"Host", "localhost:9000"}, {"x-amz-meta-a", "  two   words "}});
  sign(head, credentials, "us-east-1", kUnsignedPayload, kThen);
  EXPECT_TRUE(check(head));
  head.headers.set("x-amz-meta-a", "other");
  EXPECT_EQ(s3_code(check(head).error()), "SignatureDoesNotMatch");

  const std::string target = presign("GET", "localhost:9000", "/b/k?versionId=1", credentials,
                                     "us-east-1", std::chrono::seconds(60), kThen);
  EXPECT_TRUE(check(head_of("GET", target, {{"Host", "localhost:9000"}})));
  EXPECT_FALSE(check(head_of("PUT", target, {{"Host", "localhost:9000"}})));
}

TEST(SigV4, WrongClockRegionAndUnsignedHeaders) {
  EXPECT_EQ(s3_code(check(published_get(), kThen + std::chrono::minutes(16)).error()),
            "RequestTimeTooSkewed");
  const auto wrong_region = check(published_get(), kThen, "eu-west-1");
  EXPECT_EQ(s3_code(wrong_region.error()), "AuthorizationHeaderMalformed");
  EXPECT_EQ(s3_extra(wrong_region.error(), "Region"), "eu-west-1");
  auto head = published_get();
  head.headers.add("x-amz-meta-added", "1");
  EXPECT_EQ(s3_code(check(head).error()), "AccessDenied");
  EXPECT_EQ(s3_code(check(head_of("GET", "/", {{"Authorization", "AWS AKID:sig"}})).error()),
            "InvalidRequest");
  EXPECT_EQ(check(head_of("GET", "/", {})).value(), "anonymous");
}

TEST(SigV4, ANameIsSignedOnce) {
  http::RequestHead head;
  head.method = "GET";
  head.target = "/b/k";
  head.headers.add("Host", "localhost");
  const auto refusal = [&](const std::string& names) {
    head.headers.set("Authorization",
                     "AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/s3/aws4_request, "
                     "SignedHeaders=" +
                         names + ", Signature=" + std::string(64, '0'));
    const auto parsed = parse_authorization(head);
    return parsed ? "" : parsed.error().message;
  };
  EXPECT_EQ(refusal("host;x-amz-date;Host"), "SignedHeaders has a name twice.");
  std::string many = "host";
  for (int i = 0; i < 100; ++i) many += ";x" + std::to_string(i);
  EXPECT_EQ(refusal(many), "SignedHeaders has more names than a request may have.");
}

TEST(SigV4, CanonicalForms) {
  EXPECT_EQ(canonical_uri(""), "/");
  EXPECT_EQ(canonical_uri("/a//b/../c=d"), "/a//b/../c%3Dd");
  EXPECT_EQ(canonical_uri("/a%2fb"), "/a/b");
  EXPECT_EQ(canonical_query("b=2&a&c=%2F~&a=1&"), "a=&a=1&b=2&c=%2F~");
  EXPECT_EQ(canonical_query("X-Amz-Signature=1&z=a+b", "X-Amz-Signature"), "z=a%20b");
}

TEST(SigV4, Timestamps) {
  EXPECT_EQ(format_timestamp(kThen), "20130524T000000Z");
  EXPECT_FALSE(parse_timestamp("20130524"));
  EXPECT_FALSE(parse_timestamp("20139924T000000Z"));
}

}  // namespace
}  // namespace hearth::s3
