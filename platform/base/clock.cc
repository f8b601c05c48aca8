#include "platform/base/clock.h"

#include <cstdio>

#include <fmt/format.h>
#include <time.h>

namespace hearth::base {
namespace {

struct Civil {
  std::tm tm{};
  long nanos = 0;
};

Civil civil(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  Civil out;
  out.nanos = static_cast<long>((time - seconds).count());
  const std::time_t t = seconds.time_since_epoch().count();
  gmtime_r(&t, &out.tm);
  return out;
}

// Every event and every object that changes is stamped.
void append_digits(std::string& out, long value, int count) {
  char digits[20];
  for (int i = count; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
  out.append(digits, static_cast<std::size_t>(count));
}

// WallTime's years have four digits.
std::string date_time(const std::tm& tm) {
  std::string out;
  out.reserve(sizeof "2026-01-01T00:00:00.000000000Z");
  append_digits(out, tm.tm_year + 1900, 4);
  const std::pair<char, int> rest[] = {{'-', tm.tm_mon + 1},
                                       {'-', tm.tm_mday},
                                       {'T', tm.tm_hour},
                                       {':', tm.tm_min},
                                       {':', tm.tm_sec}};
  for (const auto& [mark, value] : rest) {
    out += mark;
    append_digits(out, value, 2);
  }
  return out;
}

std::string with_fraction(std::string text, long fraction, int digits) {
  text += '.';
  append_digits(text, fraction, digits);
  text += 'Z';
  return text;
}

bool read_digits(std::string_view& text, int count, int& out) {
  if (text.size() < static_cast<std::size_t>(count)) return false;
  out = 0;
  for (int i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
    out = out * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return true;
}

bool eat(std::string_view& text, std::string_view any) {
  if (text.empty() || any.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

long read_fraction_nanos(std::string_view& text) {
  long nanos = 0;
  long scale = 100'000'000;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    nanos += (text.front() - '0') * scale;
    scale /= 10;
    text.remove_prefix(1);
  }
  return nanos;
}

// Seconds east of UTC; nullopt when the rest is not a zone.
std::optional<int> read_zone(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  int hours = 0;
  int minutes = 0;
  if (!read_digits(text, 2, hours) || !eat(text, ":") || !read_digits(text, 2, minutes) ||
      !text.empty() || hours > 23 || minutes > 59) {
    return std::nullopt;
  }
  return sign * (hours * 3600 + minutes * 60);
}

constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

WallTime SystemClock::wall() const {
  return std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
}
MonotonicTime SystemClock::monotonic() const { return std::chrono::steady_clock::now(); }

VirtualClock::VirtualClock(WallTime start) : start_(start) {}
WallTime VirtualClock::wall() const {
  return start_ + std::chrono::nanoseconds(elapsed_ns_.load());
}
MonotonicTime VirtualClock::monotonic() const {
  return MonotonicTime(std::chrono::nanoseconds(elapsed_ns_.load()) + std::chrono::hours(1));
}
void VirtualClock::advance(std::chrono::nanoseconds by) { elapsed_ns_ += by.count(); }

std::string format_rfc3339(WallTime time) { return date_time(civil(time).tm) + "Z"; }

std::string format_rfc3339_micros(WallTime time) {
  const Civil c = civil(time);
  return with_fraction(date_time(c.tm), c.nanos / 1000, 6);
}

std::string format_rfc3339_millis(WallTime time) {
  const Civil c = civil(time);
  return with_fraction(date_time(c.tm), c.nanos / 1'000'000, 3);
}

std::string format_http_date(WallTime time) {
  const std::tm tm = civil(time).tm;
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[tm.tm_wday], tm.tm_mday,
                     kMonths[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

namespace {

// A moment counts nanoseconds in 64 bits: what lies before 1678 or after 2261 becomes the first or
// last moment that there is.
WallTime moment(std::chrono::sys_seconds seconds, std::chrono::nanoseconds rest = {}) {
  constexpr auto kFirst = std::chrono::ceil<std::chrono::seconds>(WallTime::min());
  constexpr auto kLast =
      std::chrono::floor<std::chrono::seconds>(WallTime::max()) - std::chrono::seconds(1);
  if (seconds < kFirst) return kFirst;
  if (seconds > kLast) return kLast;
  return WallTime(seconds) + rest;
}

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!read_digits(text, 4, year) || !eat(text, "-") || !read_digits(text, 2, month) ||
      !eat(text, "-") || !read_digits(text, 2, day) || !eat(text, "Tt ") ||
      !read_digits(text, 2, hour) || !eat(text, ":") || !read_digits(text, 2, minute) ||
      !eat(text, ":") || !read_digits(text, 2, second)) {
    return std::nullopt;
  }
  long nanos = 0;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
    nanos = read_fraction_nanos(text);
  }
  const auto zone = read_zone(text);
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  // RFC 3339 allows second 60 (leap seconds).
  if (!zone || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return moment(std::chrono::sys_days(date) + std::chrono::hours(hour) +
                    std::chrono::minutes(minute) + std::chrono::seconds(second - *zone),
                std::chrono::nanoseconds(nanos));
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  char month_name[4] = {};
  int day = 0, year = 0, hour = 0, minute = 0, second = 0;
  const std::string copy(text.substr(0, 64));
  if (std::sscanf(copy.c_str(), "%*3s, %2d %3s %4d %2d:%2d:%2d GMT", &day, month_name, &year, &hour,
                  &minute, &second) != 6) {
    return std::nullopt;
  }
  for (unsigned m = 0; m < 12; ++m) {
    if (std::string_view(month_name) != kMonths[m]) continue;
    const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(m + 1),
                                           std::chrono::day(static_cast<unsigned>(day))};
    if (!date.ok()) return std::nullopt;
    return moment(std::chrono::sys_days(date) + std::chrono::hours(hour) +
                  std::chrono::minutes(minute) + std::chrono::seconds(second));
  }
  return std::nullopt;
}

std::string human_duration(std::chrono::seconds age) {
  const long s = age.count();
  if (s < -1) return "<invalid>";
  if (s < 0) return "0s";
  if (s < 120) return fmt::format("{}s", s);
  const long m = s / 60;
  if (m < 10) return s % 60 == 0 ? fmt::format("{}m", m) : fmt::format("{}m{}s", m, s % 60);
  if (m < 180) return fmt::format("{}m", m);
  const long h = m / 60;
  if (h < 8) return m % 60 == 0 ? fmt::format("{}h", h) : fmt::format("{}h{}m", h, m % 60);
  if (h < 48) return fmt::format("{}h", h);
  const long d = h / 24;
  if (d < 8) return h % 24 == 0 ? fmt::format("{}d", d) : fmt::format("{}d{}h", d, h % 24);
  if (d < 2 * 365) return fmt::format("{}d", d);
  const long y = d / 365;
  if (y < 8) return d % 365 == 0 ? fmt::format("{}y", y) : fmt::format("{}y{}d", y, d % 365);
  return fmt::format("{}y", y);
}

}  // namespace hearth::base
