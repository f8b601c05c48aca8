#include "emulator/eventing/delivery_policy.h"

#include <gtest/gtest.h>

namespace hearth::eventing {
namespace {

using namespace std::chrono_literals;

DeliveryPolicy parse(const char* text) {
  const Json delivery = *base::parse_json(text);
  return parse_delivery(&delivery).value();
}

TEST(DeliveryPolicy, ReplacesAllOfTheDefaultWhenItIsThere) {
  EXPECT_EQ(parse_delivery(nullptr)->retry, 3);
  EXPECT_EQ(parse_delivery(nullptr)->delay, 200ms);
  EXPECT_EQ(parse("{}").retry, 0);
  EXPECT_EQ(parse("{}").delay, 0ns);
}

TEST(DeliveryPolicy, WaitsByItsPolicyUpToTheCap) {
  const auto exponential = parse(R"({"retry":9,"backoffDelay":"PT1S"})");
  EXPECT_EQ(wait_before_retry(exponential, 1, 60s, {}), 1s);
  EXPECT_EQ(wait_before_retry(exponential, 4, 60s, {}), 8s);
  EXPECT_EQ(wait_before_retry(exponential, 4000, 60s, {}), 60s);
  const auto linear =
      parse(R"({"retry":9,"backoffPolicy":"linear","backoffDelay":"PT1S","backoffMax":"PT2.5S"})");
  EXPECT_EQ(wait_before_retry(linear, 2, 60s, {}), 2s);
  EXPECT_EQ(wait_before_retry(linear, 3, 60s, {}), 2500ms);
}

TEST(DeliveryPolicy, HonoursRetryAfterOnlyUpToItsMaximum) {
  const auto deaf = parse(R"({"retry":1,"backoffDelay":"PT1S"})");
  EXPECT_EQ(wait_before_retry(deaf, 1, 60s, 30s), 1s);
  const auto obeys = parse(R"({"retry":1,"backoffDelay":"PT1S","retryAfterMax":"PT10S"})");
  EXPECT_EQ(wait_before_retry(obeys, 1, 60s, 5s), 5s);
  EXPECT_EQ(wait_before_retry(obeys, 1, 60s, 30s), 10s);
  http::ResponseHead head{.status = 429, .headers = {}};
  head.headers.add("Retry-After", "7");
  EXPECT_EQ(retry_after_of(head, {}), 7s);
  head.status = 500;
  EXPECT_FALSE(retry_after_of(head, {}));
}

TEST(DeliveryPolicy, KnowsWhatIsWorthAnotherAttempt) {
  for (int status : {500, 502, 503, 404, 408, 409, 429}) EXPECT_TRUE(is_retryable(status));
  for (int status : {301, 400, 401, 403, 410, 415, 422}) EXPECT_FALSE(is_retryable(status));
}

TEST(DeliveryPolicy, NamesTheFieldThatIsWrong) {
  for (const char* text : {R"({"retry":-1})", R"({"backoffDelay":"1s"})", R"({"timeout":"PT0S"})",
                           R"({"backoffPolicy":"none"})", R"({"format":"xml"})"}) {
    const Json delivery = *base::parse_json(text);
    EXPECT_FALSE(parse_delivery(&delivery)) << text;
  }
}

}  // namespace
}  // namespace hearth::eventing
