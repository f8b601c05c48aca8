#include "platform/telemetry/trace.h"

#include <algorithm>

#include "platform/base/random_id.h"

namespace hearth::telemetry {
namespace {

// version "-" trace-id "-" parent-id "-" flags
constexpr std::size_t kTraceparentSize = 2 + 1 + 32 + 1 + 16 + 1 + 2;

bool is_lower_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool all_zero(std::string_view text) { return text.find_first_not_of('0') == text.npos; }

}  // namespace

std::string TraceContext::traceparent() const {
  std::string out;
  out.reserve(kTraceparentSize);
  out.append("00-").append(trace_id).append("-").append(span_id);
  return out.append(sampled ? "-01" : "-00");
}

TraceContext TraceContext::child() const { return {trace_id, base::random_hex(8), sampled}; }

TraceContext new_trace() { return {base::random_hex(16), base::random_hex(8), true}; }

std::string_view trace_id_of(std::string_view header) {
  if (header.size() < kTraceparentSize || header[2] != '-' || header[35] != '-' ||
      header[52] != '-')
    return {};
  const auto version = header.substr(0, 2);
  const auto trace = header.substr(3, 32);
  const auto span = header.substr(36, 16);
  const auto flags = header.substr(53, 2);
  const bool valid = is_lower_hex(version) && version != "ff" &&
                     (version != "00" || header.size() == kTraceparentSize) &&
                     is_lower_hex(trace) && !all_zero(trace) && is_lower_hex(span) &&
                     !all_zero(span) && is_lower_hex(flags);
  return valid ? trace : std::string_view();
}

std::optional<TraceContext> parse_traceparent(std::string_view header) {
  const std::string_view trace = trace_id_of(header);
  if (trace.empty()) return std::nullopt;
  const char flags = header[54];
  const int low = flags <= '9' ? flags - '0' : flags - 'a' + 10;
  return TraceContext{std::string(trace), std::string(header.substr(36, 16)), low % 2 == 1};
}

}  // namespace hearth::telemetry
