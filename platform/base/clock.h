// Time as a service: controllers, autoscaler, broker, sources and caches read it here, so that
// tests (and one day `hearth clock advance`) can move it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::base {

using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;
using MonotonicTime = std::chrono::steady_clock::time_point;

class Clock {
 public:
  virtual ~Clock() = default;
  // For timestamps that people and protocols see.
  virtual WallTime wall() const = 0;
  // For durations and deadlines: never goes back.
  virtual MonotonicTime monotonic() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime wall() const override;
  MonotonicTime monotonic() const override;
};

// Stands still until it is advanced. Thread-safe.
class VirtualClock final : public Clock {
 public:
  explicit VirtualClock(WallTime start = WallTime{std::chrono::seconds(1'700'000'000)});
  WallTime wall() const override;
  MonotonicTime monotonic() const override;
  void advance(std::chrono::nanoseconds by);

 private:
  WallTime start_;
  std::atomic<std::int64_t> elapsed_ns_{0};
};

// RFC 3339 in UTC: "2026-11-21T03:04:05Z"; whole seconds as Kubernetes writes `Time`.
std::string format_rfc3339(WallTime time);
// Six fraction digits as Kubernetes' MicroTime demands.
std::string format_rfc3339_micros(WallTime time);
// "2026-11-21T03:04:05.123Z", the form of S3 and of log lines.
std::string format_rfc3339_millis(WallTime time);
// "Sat, 21 Nov 2026 03:04:05 GMT" (RFC 9110, IMF-fixdate).
std::string format_http_date(WallTime time);
// Any fraction, "Z" or a numeric offset; nullopt when the text is not RFC 3339.
std::optional<WallTime> parse_rfc3339(std::string_view text);
std::optional<WallTime> parse_http_date(std::string_view text);
// Go's and kubectl's age text: "45s", "2m30s", "5d3h".
std::string human_duration(std::chrono::seconds age);

}  // namespace hearth::base
