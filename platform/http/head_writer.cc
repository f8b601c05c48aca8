#include "platform/http/head_writer.h"

#include <fmt/format.h>
#include <time.h>

#include "platform/base/clock.h"
#include "platform/base/text.h"

namespace hearth::http {

void append_status_line(std::string& out, int status) {
  const fmt::format_int code(status);
  out.append("HTTP/1.1 ").append(code.data(), code.size()).append(" ");
  out.append(reason_phrase(status)).append("\r\n");
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  // A value with a line break would smuggle a header: such a field is a bug of its maker.
  if (!is_field_value(value)) return;
  out.append(name).append(": ").append(value).append("\r\n");
}

void append_fields(std::string& out, const Headers& headers) {
  for (const auto field : headers) {
    if (is_hop_by_hop(field.name) || base::equal_ignoring_case(field.name, "content-length")) {
      continue;
    }
    append_field(out, field.name, field.value);
  }
}

void append_date(std::string& out) {
  thread_local std::time_t cached_at = 0;
  thread_local std::string cached;
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != cached_at) {
    cached_at = now.tv_sec;
    cached = base::format_http_date(base::WallTime(std::chrono::seconds(now.tv_sec)));
  }
  append_field(out, "Date", cached);
}

}  // namespace hearth::http
