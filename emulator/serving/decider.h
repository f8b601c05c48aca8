// Knative's KPA decision as a pure function of samples and time: average concurrency over a stable
// and a panic window, wanted instances from the target.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "platform/base/clock.h"

namespace hearth::serving {

struct DeciderSettings {
  double target = 7.0;  // concurrency an instance should have (total × utilisation)
  std::chrono::seconds stable_window{60};
  double panic_window_percentage = 10.0;
  double panic_threshold_percentage = 200.0;
  double max_scale_up_rate = 1000.0;
  double max_scale_down_rate = 2.0;
  std::int64_t min_scale = 0;
  std::int64_t max_scale = 0;  // 0: no limit
};

// One-second buckets of a linear window.
class Window {
 public:
  explicit Window(std::chrono::seconds length);
  // Values in the same second are added.
  void record(std::chrono::seconds at, double value);
  // The mean over the window; young windows and silence divide by the seconds that count.
  double average(std::chrono::seconds now) const;
  // Nothing was written for longer than the window.
  bool is_empty(std::chrono::seconds now) const;

 private:
  std::int64_t size_;
  std::vector<double> buckets_;
  std::chrono::seconds first_write_{-1};
  std::chrono::seconds last_write_{-1};
};

class Decider {
 public:
  explicit Decider(DeciderSettings settings);

  void record(std::chrono::seconds at, double concurrency);
  // Instances wanted, clamped to min and max; -1: no data, leave it as it is.
  std::int64_t decide(std::chrono::seconds now, std::int64_t ready_instances);
  bool panicking() const { return panicking_; }
  const DeciderSettings& settings() const { return settings_; }

 private:
  DeciderSettings settings_;
  Window stable_;
  Window panic_;
  bool panicking_ = false;
  std::chrono::seconds panic_since_{0};
  std::int64_t panic_peak_ = 0;
};

}  // namespace hearth::serving
