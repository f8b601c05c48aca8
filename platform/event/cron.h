// Cron schedules as PingSource takes them: five fields, or six with leading seconds; names, ranges,
// steps, lists; "@hourly" and its like; a CRON_TZ= or TZ= prefix. Only UTC is known as a time zone.
// "@every" is refused, as upstream does.
#pragma once

#include <bitset>
#include <chrono>
#include <optional>
#include <string_view>

#include "platform/base/clock.h"
#include "platform/base/result.h"

namespace hearth::event {

class CronSchedule {
 public:
  // kInvalid with what is wrong; kUnsupported for a time zone other than UTC.
  static Result<CronSchedule> parse(std::string_view text, std::string_view timezone = {});

  // The first time after `time`; nullopt when there is none within five years ("0 0 30 2 *").
  std::optional<base::WallTime> next_after(base::WallTime time) const;

 private:
  bool matches_day(std::chrono::sys_days day) const;

  std::bitset<60> seconds_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_of_month_;
  std::bitset<13> months_;
  std::bitset<7> days_of_week_;
  // A day must fit both day fields when one of them is "*", else either (the rule of cron).
  bool either_day_ = false;
};

}  // namespace hearth::event
