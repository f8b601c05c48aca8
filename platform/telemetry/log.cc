#include "platform/telemetry/log.h"

#include <atomic>

#include <fmt/format.h>
#include <unistd.h>

#include "platform/base/clock.h"
#include "platform/base/file.h"
#include "platform/base/json.h"
#include "platform/base/printable.h"

namespace hearth::telemetry {
namespace {

struct State {
  std::atomic<Level> level{Level::kInfo};
  std::atomic<bool> json{true};
  std::atomic<bool> access_log{false};
};

State& state() {
  static State instance;
  return instance;
}

constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};

std::string json_text(std::string_view text) { return base::dump_json(Json(text)); }

std::string field_text(const Field& field, bool json) {
  return std::visit(
      [&](const auto& value) -> std::string {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          const bool quote = json || value.find_first_of(" \"\n=") != value.npos || value.empty();
          return quote ? json_text(value) : std::string(value);
        } else {
          return fmt::format("{}", value);
        }
      },
      field.value);
}

}  // namespace

void configure_log(const LogOptions& options) {
  state().level = options.level;
  state().json = options.format == LogFormat::kJson ||
                 (options.format == LogFormat::kAuto && ::isatty(STDERR_FILENO) == 0);
  state().access_log = options.access_log || options.level == Level::kDebug;
}

bool access_log_wanted() { return state().access_log.load(std::memory_order_relaxed); }

void Log::debug(std::string_view event, std::initializer_list<Field> fields) const {
  write(Level::kDebug, event, fields);
}
void Log::info(std::string_view event, std::initializer_list<Field> fields) const {
  write(Level::kInfo, event, fields);
}
void Log::warn(std::string_view event, std::initializer_list<Field> fields) const {
  write(Level::kWarn, event, fields);
}
void Log::error(std::string_view event, std::initializer_list<Field> fields) const {
  write(Level::kError, event, fields);
}

void Log::write(Level level, std::string_view event, std::initializer_list<Field> fields) const {
  if (level < state().level.load(std::memory_order_relaxed)) return;
  const bool json = state().json.load(std::memory_order_relaxed);
  const std::string now = base::format_rfc3339_millis(base::SystemClock().wall());
  const std::string_view name = kNames[static_cast<std::size_t>(level)];
  std::string line =
      json ? fmt::format(R"({{"ts":"{}","level":"{}","component":"{}","event":"{}")", now, name,
                         component_, event)
           : fmt::format("{} {:5} {:10} {}", now.substr(11, 12), name, component_, event);
  for (const Field& field : fields) {
    line += json ? fmt::format(",{}:{}", json_text(field.key), field_text(field, true))
                 : fmt::format(" {}={}", field.key, field_text(field, false));
  }
  // Values are of functions and clients, too; JSON has escaped what it must.
  if (!json) line = base::printable(line);
  line += json ? "}\n" : "\n";
  // A log that can't be written has nowhere to be reported.
  (void)base::write_all(STDERR_FILENO, line);
}

}  // namespace hearth::telemetry
