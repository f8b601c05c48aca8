#include "platform/event/cron.h"

#include <gtest/gtest.h>

namespace hearth::event {
namespace {

struct Row {
  const char* schedule;
  const char* after;
  const char* next;  // empty: never
};

class CronTable : public testing::TestWithParam<Row> {};

TEST_P(CronTable, FindsTheNextTime) {
  const auto schedule = CronSchedule::parse(GetParam().schedule);
  ASSERT_TRUE(schedule) << schedule.error().message;
  const auto next = schedule->next_after(*base::parse_rfc3339(GetParam().after));
  EXPECT_EQ(next ? base::format_rfc3339(*next) : "", GetParam().next) << GetParam().schedule;
}

INSTANTIATE_TEST_SUITE_P(
    Table, CronTable,
    testing::Values(Row{"* * * * *", "2026-11-21T03:04:05Z", "2026-11-21T03:05:00Z"},
                    Row{"* * * * *", "2026-11-21T03:04:59.9Z", "2026-11-21T03:05:00Z"},
                    Row{"*/15 * * * *", "2026-11-21T03:45:00Z", "2026-11-21T04:00:00Z"},
                    Row{"3/20 * * * *", "2026-11-21T03:03:00Z", "2026-11-21T03:23:00Z"},
                    Row{"*/10 * * * * *", "2026-11-21T03:04:55Z", "2026-11-21T03:05:00Z"},
                    Row{"30 9 * * MON-FRI", "2026-11-20T10:00:00Z", "2026-11-23T09:30:00Z"},
                    Row{"0 0 1,15 * *", "2026-11-15T00:00:00Z", "2026-12-01T00:00:00Z"},
                    Row{"0 0 13 * 5", "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z"},
                    Row{"0 0 29 feb ?", "2026-11-01T00:00:00Z", "2028-02-29T00:00:00Z"},
                    Row{"0 0 30 2 *", "2026-11-01T00:00:00Z", ""},
                    Row{"5/4294967295 * * * *", "2026-11-21T03:05:00Z", "2026-11-21T04:05:00Z"},
                    Row{"0/60 * * * *", "2026-11-21T03:00:00Z", "2026-11-21T04:00:00Z"},
                    Row{"57/2 * * * *", "2026-11-21T03:57:00Z", "2026-11-21T03:59:00Z"},
                    Row{"0 0 * * 1/4294967295", "2026-11-21T00:00:00Z", "2026-11-23T00:00:00Z"},
                    Row{"@hourly", "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"},
                    Row{"@weekly", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"},
                    Row{"CRON_TZ=UTC 0 12 * * *", "2026-11-21T12:00:00Z", "2026-11-22T12:00:00Z"},
                    Row{"59 23 31 12 *", "2026-11-21T00:00:00Z", "2026-12-31T23:59:00Z"}));

TEST(Cron, RefusesWhatIsNoSchedule) {
  for (const char* text :
       {"", "* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7",
        "5-1 * * * *", "*/0 * * * *", "a * * * *", "@every 5s", "@sometimes", "* * * * * * *"}) {
    EXPECT_FALSE(CronSchedule::parse(text)) << text;
  }
  EXPECT_EQ(CronSchedule::parse("* * * * *", "Europe/Berlin").error().code, Code::kUnsupported);
}

}  // namespace
}  // namespace hearth::event
