#include "emulator/serving/decider.h"

#include <algorithm>
#include <cmath>

namespace hearth::serving {
namespace {

// Knative rounds averages to 6 digits, so that 1.0000000001 is not two pods.
double round6(double value) { return std::round(value * 1e6) / 1e6; }

std::chrono::seconds panic_length(const DeciderSettings& settings) {
  const double seconds = static_cast<double>(settings.stable_window.count()) *
                         settings.panic_window_percentage / 100.0;
  return std::chrono::seconds(std::max<std::int64_t>(1, std::llround(seconds)));
}

std::int64_t ceil_div(double value, double by) {
  return static_cast<std::int64_t>(std::ceil(value / by));
}

}  // namespace

Window::Window(std::chrono::seconds length)
    : size_(std::max<std::int64_t>(1, length.count())),
      buckets_(static_cast<std::size_t>(size_), 0.0) {}

void Window::record(std::chrono::seconds at, double value) {
  if (last_write_.count() >= 0 && at < last_write_ - std::chrono::seconds(size_)) return;
  if (last_write_.count() < 0 || at - last_write_ >= std::chrono::seconds(size_)) {
    std::ranges::fill(buckets_, 0.0);
    first_write_ = at;
  } else {
    for (auto t = last_write_ + std::chrono::seconds(1); t <= at; t += std::chrono::seconds(1)) {
      buckets_[static_cast<std::size_t>(t.count() % size_)] = 0.0;
    }
  }
  last_write_ = std::max(last_write_, at);
  buckets_[static_cast<std::size_t>(at.count() % size_)] += value;
}

double Window::average(std::chrono::seconds now) const {
  if (last_write_.count() < 0 || now - last_write_ >= std::chrono::seconds(size_)) return 0.0;
  const std::int64_t silence = std::max<std::int64_t>(0, (now - last_write_).count());
  const std::int64_t age = (last_write_ - first_write_).count() + 1;
  const std::int64_t valid = std::min(age, size_ - silence);
  double total = 0;
  for (std::int64_t i = 0; i < valid; ++i) {
    total += buckets_[static_cast<std::size_t>((last_write_.count() - i) % size_)];
  }
  return valid <= 0 ? 0.0 : round6(total / static_cast<double>(valid));
}

bool Window::is_empty(std::chrono::seconds now) const {
  return last_write_.count() < 0 || now - last_write_ > std::chrono::seconds(size_);
}

Decider::Decider(DeciderSettings settings)
    : settings_(settings), stable_(settings.stable_window), panic_(panic_length(settings)) {}

void Decider::record(std::chrono::seconds at, double concurrency) {
  stable_.record(at, concurrency);
  panic_.record(at, concurrency);
}

std::int64_t Decider::decide(std::chrono::seconds now, std::int64_t ready_instances) {
  if (stable_.is_empty(now)) return -1;
  const double ready = static_cast<double>(std::max<std::int64_t>(1, ready_instances));
  const auto up = static_cast<std::int64_t>(std::ceil(settings_.max_scale_up_rate * ready));
  const auto down = static_cast<std::int64_t>(std::floor(ready / settings_.max_scale_down_rate));
  const std::int64_t stable_wanted = ceil_div(stable_.average(now), settings_.target);
  const std::int64_t panic_wanted = ceil_div(panic_.average(now), settings_.target);
  const std::int64_t stable = std::clamp(stable_wanted, down, std::max(down, up));
  const std::int64_t panic = std::clamp(panic_wanted, down, std::max(down, up));
  const bool over =
      static_cast<double>(panic_wanted) / ready >= settings_.panic_threshold_percentage / 100.0;
  if (over) {
    panicking_ = true;
    panic_since_ = now;
  } else if (panicking_ && panic_since_ + settings_.stable_window < now) {
    panicking_ = false;
    panic_peak_ = 0;
  }
  std::int64_t desired = stable;
  if (panicking_) {
    // In panic the number never falls.
    panic_peak_ = std::max({panic_peak_, stable, panic});
    desired = panic_peak_;
  }
  desired = std::max(desired, settings_.min_scale);
  if (settings_.max_scale > 0) desired = std::min(desired, settings_.max_scale);
  return desired;
}

}  // namespace hearth::serving
