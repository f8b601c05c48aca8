// Cron schedules: a line with the schedule, a line with the time zone, then digits that say from
// when. The next time is later, is the first one and is on the schedule.
#include "platform/event/cron.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  std::string_view rest = fuzz::view(data, size);
  const std::string_view text = fuzz::take_until(rest, '\n');
  const std::string_view zone = fuzz::take_until(rest, '\n');
  const auto schedule = event::CronSchedule::parse(text, zone);
  if (!schedule) {
    fuzz::require_reason(schedule.error());
    return 0;
  }
  std::uint64_t seconds = 0;
  for (const char c : rest) seconds = seconds * 10 + static_cast<unsigned char>(c);
  // The years 1970 to 2100.
  const base::WallTime from{std::chrono::seconds(seconds % 4'102'444'800)};
  const auto next = schedule->next_after(from);
  if (!next) return 0;
  fuzz::require(*next > from, "the next time is later");
  fuzz::require(*next - from < std::chrono::hours(24) * 366 * 6, "the search is bounded");
  const auto again = schedule->next_after(*next - std::chrono::seconds(1));
  fuzz::require(again && *again == *next, "the next time is on the schedule");
  const auto middle = schedule->next_after(from + (*next - from) / 2);
  fuzz::require(middle && *middle == *next, "there is none before the next time");
  return 0;
}
