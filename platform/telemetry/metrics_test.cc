#include "platform/telemetry/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/telemetry/trace.h"

namespace hearth::telemetry {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

TEST(Histogram, PutsADurationIntoTheFirstBucketThatHoldsIt) {
  Histogram histogram;
  histogram.observe(microseconds(499));
  histogram.observe(microseconds(500));  // bounds are inclusive
  histogram.observe(microseconds(501));
  histogram.observe(seconds(11));
  EXPECT_EQ(histogram.bucket(0), 2U);
  EXPECT_EQ(histogram.bucket(1), 1U);
  EXPECT_EQ(histogram.bucket(kDurationBounds.size()), 1U);
  EXPECT_EQ(histogram.sum(), seconds(11) + microseconds(1500));
}

TEST(RequestMetrics, CountsByCodeAndSharesTheLastPlaceAmongLateCodes) {
  RequestMetrics metrics;
  for (const int code : {200, 201, 202, 204, 400, 404, 500, 502, 503}) {
    metrics.observe(code, milliseconds(1));
  }
  metrics.observe(200, milliseconds(1));
  std::vector<std::pair<int, std::uint64_t>> seen;
  metrics.each(
      [&](int code, const Histogram& duration) { seen.emplace_back(code, duration.bucket(1)); });
  const std::vector<std::pair<int, std::uint64_t>> expected{{200, 2}, {201, 1}, {202, 1}, {204, 1},
                                                            {400, 1}, {404, 1}, {500, 1}, {0, 2}};
  EXPECT_EQ(seen, expected);
}

TEST(MetricsPage, WritesHelpTypeAndEscapedLabels) {
  MetricsPage page;
  page.family("hearth_things_total", MetricType::kCounter, "Things.");
  page.sample({{"name", "a\"b\\c\nd"}}, 3);
  EXPECT_EQ(page.text(),
            "# HELP hearth_things_total Things.\n"
            "# TYPE hearth_things_total counter\n"
            "hearth_things_total{name=\"a\\\"b\\\\c\\nd\"} 3\n");
}

TEST(MetricsPage, WritesCumulativeBucketsWithSumAndCount) {
  Histogram histogram;
  histogram.observe(microseconds(100));
  histogram.observe(milliseconds(3));
  MetricsPage page;
  page.family("wait_seconds", MetricType::kHistogram, "Waits.");
  page.histogram({{"a", "b"}}, histogram);
  EXPECT_THAT(page.text(), HasSubstr("wait_seconds_bucket{a=\"b\",le=\"0.0005\"} 1\n"));
  EXPECT_THAT(page.text(), HasSubstr("wait_seconds_bucket{a=\"b\",le=\"0.005\"} 2\n"));
  EXPECT_THAT(page.text(), HasSubstr("wait_seconds_bucket{a=\"b\",le=\"+Inf\"} 2\n"));
  EXPECT_THAT(page.text(), HasSubstr("wait_seconds_sum{a=\"b\"} 0.0031\n"));
  EXPECT_THAT(page.text(), HasSubstr("wait_seconds_count{a=\"b\"} 2\n"));
}

TEST(TraceId, IsFoundInAValidHeaderOnly) {
  constexpr std::string_view kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
  const std::string header = "00-" + std::string(kTrace) + "-00f067aa0ba902b7-01";
  EXPECT_EQ(trace_id_of(header), kTrace);
  EXPECT_EQ(trace_id_of("00-" + std::string(32, '0') + "-00f067aa0ba902b7-01"), "");
  EXPECT_EQ(trace_id_of("ff" + header.substr(2)), "");
  EXPECT_EQ(trace_id_of(header + "-more"), "");
  EXPECT_EQ(trace_id_of(""), "");
  EXPECT_NE(trace_id_of(new_trace().traceparent()), "");
}

}  // namespace
}  // namespace hearth::telemetry
