// W3C trace context (https://www.w3.org/TR/trace-context/): the traceparent header as a value.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hearth::telemetry {

struct TraceContext {
  std::string trace_id;  // 32 lower-case hex digits, not all zero
  std::string span_id;   // 16
  bool sampled = true;

  std::string traceparent() const;
  // Same trace, fresh span.
  TraceContext child() const;
};

TraceContext new_trace();
// nullopt when the header is not a valid version-00 (or later) traceparent.
std::optional<TraceContext> parse_traceparent(std::string_view header);
// The trace id within a valid header, a view of it; empty otherwise. Allocates nothing.
std::string_view trace_id_of(std::string_view header);

}  // namespace hearth::telemetry
