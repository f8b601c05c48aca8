#include "emulator/objectstore/conditions.h"

#include <gtest/gtest.h>

#include "platform/base/clock.h"
#include "platform/s3/error_code.h"

namespace hearth::objectstore {
namespace {

constexpr std::int64_t kModifiedMs = 1'700'000'000'500;
constexpr Existing kObject{"abc", kModifiedMs};

http::Headers headers(std::initializer_list<std::pair<const char*, std::string>> fields) {
  http::Headers out;
  for (const auto& [name, value] : fields) out.add(name, value);
  return out;
}

std::string date(std::int64_t offset_seconds) {
  return base::format_http_date(
      base::WallTime(std::chrono::seconds(kModifiedMs / 1000 + offset_seconds)));
}

// "200", "304" or "412".
std::string outcome(const http::Headers& request) {
  const auto verdict = evaluate_read(request, kObject);
  if (!verdict) return "412";
  return *verdict == ReadVerdict::kProceed ? "200" : "304";
}

TEST(ReadConditions, EachAlone) {
  EXPECT_EQ(outcome({}), "200");
  EXPECT_EQ(outcome(headers({{"If-Match", "\"abc\""}})), "200");
  EXPECT_EQ(outcome(headers({{"If-Match", "abc"}})), "200");
  EXPECT_EQ(outcome(headers({{"If-Match", "*"}})), "200");
  EXPECT_EQ(outcome(headers({{"If-Match", "\"x\""}})), "412");
  EXPECT_EQ(outcome(headers({{"If-None-Match", "\"x\", W/\"abc\""}})), "304");
  EXPECT_EQ(outcome(headers({{"If-None-Match", "\"x\""}})), "200");
  // The object's own date, which lost its fraction of a second, counts as not modified since.
  EXPECT_EQ(outcome(headers({{"If-Modified-Since", date(0)}})), "304");
  EXPECT_EQ(outcome(headers({{"If-Modified-Since", date(-1)}})), "200");
  EXPECT_EQ(outcome(headers({{"If-Unmodified-Since", date(0)}})), "200");
  EXPECT_EQ(outcome(headers({{"If-Unmodified-Since", date(-1)}})), "412");
  EXPECT_EQ(outcome(headers({{"If-Modified-Since", "yesterday"}})), "200");
}

TEST(ReadConditions, ETagsTakePrecedenceOverDates) {
  EXPECT_EQ(outcome(headers({{"If-Match", "abc"}, {"If-Unmodified-Since", date(-1)}})), "200");
  EXPECT_EQ(outcome(headers({{"If-None-Match", "x"}, {"If-Modified-Since", date(1)}})), "200");
}

TEST(CopyConditions, NotModifiedIsAFailure) {
  EXPECT_TRUE(evaluate_copy_source({}, kObject));
  EXPECT_FALSE(
      evaluate_copy_source(headers({{"x-amz-copy-source-if-none-match", "abc"}}), kObject));
  EXPECT_FALSE(evaluate_copy_source(headers({{"x-amz-copy-source-if-match", "x"}}), kObject));
}

TEST(WriteConditions, Table) {
  const auto check = [](const char* match, const char* none_match, bool exists) {
    const WriteConditions conditions{match, none_match};
    const Status status = conditions.check(exists ? std::optional(kObject) : std::nullopt, "key");
    return status ? std::string() : std::string(s3::s3_code(status.error()));
  };
  EXPECT_EQ(check("", "*", false), "");
  EXPECT_EQ(check("", "*", true), "PreconditionFailed");
  EXPECT_EQ(check("", "\"abc\"", true), "PreconditionFailed");
  EXPECT_EQ(check("", "\"x\"", true), "");
  EXPECT_EQ(check("abc", "", true), "");
  EXPECT_EQ(check("x", "", true), "PreconditionFailed");
  EXPECT_EQ(check("abc", "", false), "NoSuchKey");
}

}  // namespace
}  // namespace hearth::objectstore
