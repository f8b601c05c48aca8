#include "platform/base/quantity.h"

#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace hearth::base {
namespace {

using Nanos = std::chrono::nanoseconds;

// Digits with an optional fraction at the front of `text`; moves past them.
std::optional<long double> eat_number(std::string_view& text) {
  long double value = 0;
  std::size_t digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9' && digits < 40) {
    value = value * 10 + (text.front() - '0');
    text.remove_prefix(1);
    ++digits;
  }
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    long double scale = 0.1L;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9' && digits < 40) {
      value += scale * (text.front() - '0');
      scale /= 10;
      text.remove_prefix(1);
      ++digits;
    }
  }
  if (digits == 0) return std::nullopt;
  return value;
}

std::optional<long double> suffix_factor(std::string_view suffix) {
  static constexpr std::array<std::pair<std::string_view, long double>, 17> kFactors{
      {{"", 1e3L},
       {"m", 1.0L},
       {"k", 1e6L},
       {"K", 1e6L},
       {"M", 1e9L},
       {"G", 1e12L},
       {"T", 1e15L},
       {"P", 1e18L},
       {"E", 1e21L},
       {"u", 1e-3L},
       {"n", 1e-6L},
       {"Ki", 1024e3L},
       {"Mi", 1048576e3L},
       {"Gi", 1073741824e3L},
       {"Ti", 1099511627776e3L},
       {"Pi", 1125899906842624e3L},
       {"Ei", 1152921504606846976e3L}}};
  for (const auto& [name, factor] : kFactors) {
    if (name == suffix) return factor;
  }
  return std::nullopt;
}

std::optional<long double> unit_nanos(std::string_view unit) {
  if (unit == "ns") return 1.0L;
  if (unit == "us" || unit == "\xC2\xB5s") return 1e3L;
  if (unit == "ms") return 1e6L;
  if (unit == "s") return 1e9L;
  if (unit == "m") return 60e9L;
  if (unit == "h") return 3600e9L;
  return std::nullopt;
}

std::optional<Nanos> to_nanos(long double nanos) {
  if (!(std::fabs(nanos) < 9.2e18L)) return std::nullopt;
  return Nanos(static_cast<std::int64_t>(std::llroundl(nanos)));
}

}  // namespace

std::optional<std::int64_t> parse_quantity_milli(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  const auto number = eat_number(text);
  if (!number) return std::nullopt;
  long double factor = 0;
  if (text.size() > 1 && (text.front() == 'e' || text.front() == 'E')) {
    int exponent = 0;
    if (std::sscanf(std::string(text.substr(1)).c_str(), "%d", &exponent) != 1) return std::nullopt;
    if (exponent < -30 || exponent > 30) return std::nullopt;
    factor = powl(10.0L, exponent) * 1e3L;
  } else if (const auto known = suffix_factor(text)) {
    factor = *known;
  } else {
    return std::nullopt;
  }
  const long double milli = std::ceil(*number * factor);
  if (milli > 9.2e18L) return std::nullopt;
  const auto value = static_cast<std::int64_t>(milli);
  return negative ? -value : value;
}

std::optional<std::int64_t> parse_quantity(std::string_view text) {
  const auto milli = parse_quantity_milli(text);
  if (!milli) return std::nullopt;
  return (*milli + (*milli > 0 ? 999 : 0)) / 1000;
}

std::optional<Nanos> parse_go_duration(std::string_view text) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  if (text == "0") return Nanos(0);
  if (text.empty()) return std::nullopt;
  long double total = 0;
  while (!text.empty()) {
    const auto number = eat_number(text);
    if (!number) return std::nullopt;
    std::size_t length = 0;
    while (length < text.size() && text[length] != '.' &&
           (text[length] < '0' || text[length] > '9')) {
      ++length;
    }
    const auto unit = unit_nanos(text.substr(0, length));
    if (!unit) return std::nullopt;
    total += *number * *unit;
    text.remove_prefix(length);
  }
  return to_nanos(negative ? -total : total);
}

std::optional<Nanos> parse_iso_duration(std::string_view text) {
  if (text.size() < 2 || text.front() != 'P') return std::nullopt;
  text.remove_prefix(1);
  bool in_time = false;
  bool any = false;
  long double total = 0;
  while (!text.empty()) {
    if (text.front() == 'T' && !in_time) {
      in_time = true;
      text.remove_prefix(1);
      continue;
    }
    const auto number = eat_number(text);
    if (!number || text.empty()) return std::nullopt;
    const char unit = text.front();
    text.remove_prefix(1);
    if (!in_time && unit == 'W')
      total += *number * 7 * 86400e9L;
    else if (!in_time && unit == 'D')
      total += *number * 86400e9L;
    else if (in_time && unit == 'H')
      total += *number * 3600e9L;
    else if (in_time && unit == 'M')
      total += *number * 60e9L;
    else if (in_time && unit == 'S')
      total += *number * 1e9L;
    else
      return std::nullopt;
    any = true;
  }
  if (!any) return std::nullopt;
  return to_nanos(total);
}

std::string format_go_duration(Nanos duration) {
  const auto ns = duration.count();
  if (ns == 0) return "0s";
  if (ns < 0) return "-" + format_go_duration(-duration);
  if (ns < 1'000) return fmt::format("{}ns", ns);
  if (ns < 1'000'000) return fmt::format("{:.6g}\xC2\xB5s", static_cast<double>(ns) / 1e3);
  if (ns < 1'000'000'000) return fmt::format("{:.9g}ms", static_cast<double>(ns) / 1e6);
  const auto minutes = ns / 60'000'000'000;
  std::string text;
  if (minutes >= 60) text += fmt::format("{}h", minutes / 60);
  if (minutes > 0) text += fmt::format("{}m", minutes % 60);
  return text + fmt::format("{:.11g}s", static_cast<double>(ns % 60'000'000'000) / 1e9);
}

}  // namespace hearth::base
