#include "platform/telemetry/metrics.h"

#include <algorithm>

#include <fmt/format.h>

namespace hearth::telemetry {
namespace {

std::string_view type_name(MetricType type) {
  switch (type) {
    case MetricType::kCounter:
      return "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kHistogram:
      return "histogram";
  }
  return "untyped";
}

void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n')
      out += "\\n";
    else
      out.push_back(c);
  }
}

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void Histogram::observe(std::chrono::nanoseconds duration) {
  const auto bound = std::ranges::lower_bound(kDurationBounds, duration);
  const auto index = static_cast<std::size_t>(bound - kDurationBounds.begin());
  buckets_[index].fetch_add(1, std::memory_order_relaxed);
  sum_ns_.fetch_add(duration.count(), std::memory_order_relaxed);
}

std::uint64_t Histogram::bucket(std::size_t index) const {
  return buckets_[index].load(std::memory_order_relaxed);
}

std::chrono::nanoseconds Histogram::sum() const {
  return std::chrono::nanoseconds(sum_ns_.load(std::memory_order_relaxed));
}

void RequestMetrics::observe(int code, std::chrono::nanoseconds duration) {
  for (std::size_t i = 0; i < kCodesMax; ++i) {
    Slot& slot = slots_[i];
    int known = slot.code.load(std::memory_order_acquire);
    // Somebody else may take the place between the look and the exchange: then `known` is theirs.
    if (known == kFree && slot.code.compare_exchange_strong(known, code)) known = code;
    if (known != code && i + 1 < kCodesMax) continue;
    slot.duration.observe(duration);
    return;
  }
}

void MetricsPage::family(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type_name(type));
}

void MetricsPage::line(std::string_view suffix, const Labels& labels, std::string_view bound,
                       double value) {
  text_ += name_;
  text_ += suffix;
  char separator = '{';
  for (const auto& [name, text] : labels) {
    text_ += separator;
    text_.append(name).append("=\"");
    append_escaped(text_, text);
    text_ += '"';
    separator = ',';
  }
  if (!bound.empty()) {
    text_ += separator;
    text_.append("le=\"").append(bound).append("\"");
    separator = ',';
  }
  if (separator == ',') text_ += '}';
  text_ += fmt::format(" {}\n", value);
}

void MetricsPage::sample(const Labels& labels, double value) { line("", labels, "", value); }

void MetricsPage::histogram(const Labels& labels, const Histogram& histogram) {
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < kDurationBounds.size(); ++i) {
    total += histogram.bucket(i);
    line("_bucket", labels, fmt::format("{}", seconds(kDurationBounds[i])),
         static_cast<double>(total));
  }
  total += histogram.bucket(kDurationBounds.size());
  line("_bucket", labels, "+Inf", static_cast<double>(total));
  line("_sum", labels, "", seconds(histogram.sum()));
  line("_count", labels, "", static_cast<double>(total));
}

void MetricsPage::single(std::string_view name, MetricType type, std::string_view help,
                         double value) {
  family(name, type, help);
  sample({}, value);
}

}  // namespace hearth::telemetry
