#include "platform/event/cron.h"

#include <array>
#include <span>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::event {
namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 12> kMonthNames{"jan", "feb", "mar", "apr", "may", "jun",
                                                       "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kDayNames{"sun", "mon", "tue", "wed",
                                                    "thu", "fri", "sat"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kDescriptors{{
    {"@yearly", "0 0 1 1 *"},
    {"@annually", "0 0 1 1 *"},
    {"@monthly", "0 0 1 * *"},
    {"@weekly", "0 0 * * 0"},
    {"@daily", "0 0 * * *"},
    {"@midnight", "0 0 * * *"},
    {"@hourly", "0 * * * *"},
}};
constexpr int kDaysSearchedMax = 5 * 366;

struct FieldRule {
  std::string_view what;
  unsigned low;
  unsigned high;
  std::span<const std::string_view> names;  // the first one stands for `low`
};

constexpr FieldRule kSecond{"second", 0, 59, {}};
constexpr FieldRule kMinute{"minute", 0, 59, {}};
constexpr FieldRule kHour{"hour", 0, 23, {}};
constexpr FieldRule kDayOfMonth{"day of month", 1, 31, {}};
constexpr FieldRule kMonth{"month", 1, 12, kMonthNames};
constexpr FieldRule kDayOfWeek{"day of week", 0, 6, kDayNames};

Result<unsigned> parse_value(std::string_view text, const FieldRule& rule) {
  const std::string name = base::lower(text);
  for (std::size_t i = 0; i < rule.names.size(); ++i) {
    if (rule.names[i] == name) return rule.low + static_cast<unsigned>(i);
  }
  const auto value = base::parse_int<unsigned>(text);
  if (!value || *value < rule.low || *value > rule.high) {
    return fail(Code::kInvalid,
                fmt::format("{} \"{}\" is not within {}-{}", rule.what, text, rule.low, rule.high));
  }
  return *value;
}

struct Range {
  unsigned low;
  unsigned high;
};

Result<Range> parse_range(std::string_view text, const FieldRule& rule, bool has_step) {
  if (text == "*" || text == "?") return Range{rule.low, rule.high};
  const auto dash = text.find('-');
  HEARTH_TRY(low, parse_value(text.substr(0, dash), rule));
  // "3/5" begins at 3 and goes on to the end.
  if (dash == text.npos) return Range{low, has_step ? rule.high : low};
  HEARTH_TRY(high, parse_value(text.substr(dash + 1), rule));
  if (low > high) {
    return fail(Code::kInvalid,
                fmt::format("{} \"{}\": the range runs backwards", rule.what, text));
  }
  return Range{low, high};
}

// Sets the bits of one field; `star` tells whether it says "any".
template <std::size_t N>
Status parse_field(std::string_view text, const FieldRule& rule, std::bitset<N>& bits,
                   bool* star = nullptr) {
  for (const std::string_view part : base::split(text, ',')) {
    const auto slash = part.find('/');
    HEARTH_TRY(range, parse_range(part.substr(0, slash), rule, slash != part.npos));
    unsigned step = 1;
    if (slash != part.npos) {
      step = base::parse_int<unsigned>(part.substr(slash + 1)).value_or(0);
      if (step == 0) {
        return fail(Code::kInvalid, fmt::format("{} \"{}\": bad step", rule.what, part));
      }
    }
    // A step beyond the range takes its first value only; adding it could wrap around.
    for (unsigned value = range.low;; value += step) {
      bits.set(value);
      if (step > range.high - value) break;
    }
    const bool any = part.starts_with('*') || part.starts_with('?');
    if (star != nullptr && any && step == 1) *star = true;
  }
  return {};
}

std::vector<std::string_view> split_fields(std::string_view text) {
  std::vector<std::string_view> fields;
  for (const std::string_view field : base::split(text, ' ')) {
    if (!base::trim(field).empty()) fields.push_back(base::trim(field));
  }
  return fields;
}

Status check_timezone(std::string_view zone) {
  for (const std::string_view utc : {"", "UTC", "Etc/UTC", "GMT", "Etc/GMT", "Z", "Local"}) {
    if (zone == utc) return {};
  }
  return fail(Code::kUnsupported, fmt::format("time zone \"{}\" is not known; UTC is", zone));
}

// Takes "CRON_TZ=zone " off the front.
std::string_view take_timezone(std::string_view& text) {
  for (const std::string_view prefix : {"CRON_TZ=", "TZ="}) {
    if (!text.starts_with(prefix)) continue;
    const auto space = std::min(text.find(' '), text.size());
    const std::string_view zone = text.substr(prefix.size(), space - prefix.size());
    text = base::trim(text.substr(space));
    return zone;
  }
  return {};
}

// The first set bit at or behind `from`; N when there is none.
template <std::size_t N>
std::size_t next_set(const std::bitset<N>& bits, std::size_t from) {
  while (from < N && !bits.test(from)) ++from;
  return from;
}

}  // namespace

Result<CronSchedule> CronSchedule::parse(std::string_view text, std::string_view timezone) {
  text = base::trim(text);
  HEARTH_CHECK_OK(check_timezone(timezone));
  HEARTH_CHECK_OK(check_timezone(take_timezone(text)));
  if (text.starts_with("@every")) {
    return fail(Code::kInvalid, "@every is not taken; write a schedule of fields");
  }
  for (const auto& [name, fields] : kDescriptors) {
    if (text == name) text = fields;
  }
  auto fields = split_fields(text);
  if (fields.size() != 5 && fields.size() != 6) {
    return fail(Code::kInvalid, fmt::format("schedule \"{}\" has {} fields, not 5 (or 6 with "
                                            "leading seconds)",
                                            text, fields.size()));
  }
  if (fields.size() == 5) fields.insert(fields.begin(), "0");
  CronSchedule schedule;
  bool any_day_of_month = false;
  bool any_day_of_week = false;
  HEARTH_CHECK_OK(parse_field(fields[0], kSecond, schedule.seconds_));
  HEARTH_CHECK_OK(parse_field(fields[1], kMinute, schedule.minutes_));
  HEARTH_CHECK_OK(parse_field(fields[2], kHour, schedule.hours_));
  HEARTH_CHECK_OK(parse_field(fields[3], kDayOfMonth, schedule.days_of_month_, &any_day_of_month));
  HEARTH_CHECK_OK(parse_field(fields[4], kMonth, schedule.months_));
  HEARTH_CHECK_OK(parse_field(fields[5], kDayOfWeek, schedule.days_of_week_, &any_day_of_week));
  schedule.either_day_ = !any_day_of_month && !any_day_of_week;
  return schedule;
}

bool CronSchedule::matches_day(sys_days day) const {
  const year_month_day date(day);
  if (!months_.test(static_cast<unsigned>(date.month()))) return false;
  const bool of_month = days_of_month_.test(static_cast<unsigned>(date.day()));
  const bool of_week = days_of_week_.test(weekday(day).c_encoding());
  return either_day_ ? of_month || of_week : of_month && of_week;
}

std::optional<base::WallTime> CronSchedule::next_after(base::WallTime time) const {
  const sys_seconds start = floor<seconds>(time) + seconds(1);
  sys_days day = floor<days>(start);
  auto within = static_cast<std::size_t>((start - day).count());
  for (int searched = 0; searched < kDaysSearchedMax; ++searched, day += days(1), within = 0) {
    if (!matches_day(day)) continue;
    for (std::size_t hour = next_set(hours_, within / 3600); hour < 24;
         hour = next_set(hours_, hour + 1)) {
      const bool same_hour = hour == within / 3600;
      const std::size_t first_minute = same_hour ? within / 60 % 60 : 0;
      for (std::size_t minute = next_set(minutes_, first_minute); minute < 60;
           minute = next_set(minutes_, minute + 1)) {
        const bool same_minute = same_hour && minute == first_minute;
        const std::size_t second = next_set(seconds_, same_minute ? within % 60 : 0);
        if (second < 60) return day + hours(hour) + minutes(minute) + seconds(second);
      }
    }
  }
  return std::nullopt;
}

}  // namespace hearth::event
