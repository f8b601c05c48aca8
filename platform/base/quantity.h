// Kubernetes quantities ("128Mi", "100m", "1.5") and Go / ISO 8601 durations ("30s", "PT0.2S").
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::base {

// In thousandths of the unit: "100m" is 100, "1" is 1000, "1Ki" is 1024000. nullopt when malformed
// or out of range.
std::optional<std::int64_t> parse_quantity_milli(std::string_view text);
// Whole units, rounded up: bytes of a memory quantity.
std::optional<std::int64_t> parse_quantity(std::string_view text);

// Go's time.ParseDuration: "300ms", "1h30m", "1.5s", "0".
std::optional<std::chrono::nanoseconds> parse_go_duration(std::string_view text);
// ISO 8601 durations of weeks, days, hours, minutes, seconds ("PT0.2S", "P1DT2H").
std::optional<std::chrono::nanoseconds> parse_iso_duration(std::string_view text);
// Go's Duration.String(): "1m30s", "1.5s", "20ms".
std::string format_go_duration(std::chrono::nanoseconds duration);

}  // namespace hearth::base
