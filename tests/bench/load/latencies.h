// Latencies of a load run and what is printed of them. Values in microseconds, one a request: a
// run has some million at most, so they are kept and sorted rather than put into buckets.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace hearth::bench {

using MonotonicClock = std::chrono::steady_clock;

inline double micros_between(MonotonicClock::time_point from, MonotonicClock::time_point to) {
  return std::chrono::duration<double, std::micro>(to - from).count();
}

class Latencies {
 public:
  void add(double micros) { values_.push_back(static_cast<float>(micros)); }
  std::size_t size() const { return values_.size(); }

  // `"p50_us":…,"p90_us":…` with a prefix before each name; zeros when there is none. Sorts.
  std::string json(const std::string& prefix = "") {
    std::ranges::sort(values_);
    return fmt::format(
        R"("{0}p50_us":{1:.1f},"{0}p90_us":{2:.1f},"{0}p99_us":{3:.1f},"{0}p999_us":{4:.1f},)"
        R"("{0}max_us":{5:.1f})",
        prefix, at(0.5), at(0.9), at(0.99), at(0.999), at(1.0));
  }

 private:
  double at(double share) const {
    if (values_.empty()) return 0;
    const auto index = static_cast<std::size_t>(share * static_cast<double>(values_.size()));
    return static_cast<double>(values_[std::min(index, values_.size() - 1)]);
  }

  std::vector<float> values_;
};

}  // namespace hearth::bench
