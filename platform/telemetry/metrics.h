// Counts of what happens, and the page on which Prometheus reads them.
//
// Counter, Gauge and Histogram are relaxed atomics: any thread may touch them, none waits, nothing
// is allocated. The room that counts owns them; MetricsPage writes them when somebody asks.
// Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text, 0.0.4).
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hearth::telemetry {

class Counter {
 public:
  void add(std::uint64_t count = 1) { value_.fetch_add(count, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
 public:
  void add(std::int64_t change) { value_.fetch_add(change, std::memory_order_relaxed); }
  std::int64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

// Upper bounds of the buckets: Knative's, and three below them for what runs on this machine.
inline constexpr std::array<std::chrono::microseconds, 17> kDurationBounds = [] {
  std::array<std::chrono::microseconds, 17> bounds{};
  constexpr std::array<int, 17> kMicroseconds{
      500,     1'000,   2'500,   5'000,     10'000,    25'000,    50'000,    75'000,    100'000,
      250'000, 500'000, 750'000, 1'000'000, 2'500'000, 5'000'000, 7'500'000, 10'000'000};
  for (std::size_t i = 0; i < bounds.size(); ++i)
    bounds[i] = std::chrono::microseconds(kMicroseconds[i]);
  return bounds;
}();

// Durations by size.
class Histogram {
 public:
  void observe(std::chrono::nanoseconds duration);
  // Not cumulative; the last is for what is over every bound.
  std::uint64_t bucket(std::size_t index) const;
  std::chrono::nanoseconds sum() const;

 private:
  std::array<std::atomic<std::uint64_t>, kDurationBounds.size() + 1> buckets_{};
  std::atomic<std::int64_t> sum_ns_{0};
};

// Durations of requests by status code. The first seven codes that occur have places of their own;
// later ones share the last, whose code is 0.
class RequestMetrics {
 public:
  static constexpr std::size_t kCodesMax = 8;

  // One observation: the count of requests is the histogram's.
  void observe(int code, std::chrono::nanoseconds duration);

  template <typename Visit>
  void each(Visit visit) const {
    for (std::size_t i = 0; i < kCodesMax; ++i) {
      const int code = slots_[i].code.load(std::memory_order_acquire);
      if (code != kFree) visit(i + 1 < kCodesMax ? code : 0, slots_[i].duration);
    }
  }

 private:
  static constexpr int kFree = -1;
  struct Slot {
    std::atomic<int> code{kFree};
    Histogram duration;
  };
  std::array<Slot, kCodesMax> slots_;
};

using Labels = std::vector<std::pair<std::string_view, std::string>>;

enum class MetricType { kCounter, kGauge, kHistogram };

// Families in order, each with all its samples before the next begins.
class MetricsPage {
 public:
  void family(std::string_view name, MetricType type, std::string_view help);
  void sample(const Labels& labels, double value);
  void histogram(const Labels& labels, const Histogram& histogram);
  // A family of one sample without labels.
  void single(std::string_view name, MetricType type, std::string_view help, double value);

  const std::string& text() const { return text_; }

 private:
  void line(std::string_view suffix, const Labels& labels, std::string_view bound, double value);

  std::string text_;
  std::string name_;
};

}  // namespace hearth::telemetry
