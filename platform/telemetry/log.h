// Structured logs: log.info("function_ready", {{"function", name}, {"ms", 12}}).
//
// One JSON object a line (ts level event component fields…), or aligned text on a terminal. Event
// names are stable snake_case words; values are fields, not prose. Thread-safe: a line is one
// write.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace hearth::telemetry {

enum class Level { kDebug, kInfo, kWarn, kError };

struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <std::integral T>
  Field(std::string_view k, T v) : key(k), value(static_cast<std::int64_t>(v)) {}
};

enum class LogFormat { kAuto, kJson, kText };

struct LogOptions {
  Level level = Level::kInfo;
  LogFormat format = LogFormat::kAuto;  // kAuto: text when standard error is a terminal
  bool access_log = false;              // a line a request; at kDebug always
};

// At start, and again when the configuration is read again: any thread may log meanwhile.
void configure_log(const LogOptions& options);
// Whether a line a request is wanted: asked before the line is made.
bool access_log_wanted();

class Log {
 public:
  explicit constexpr Log(std::string_view component) : component_(component) {}
  void debug(std::string_view event, std::initializer_list<Field> fields = {}) const;
  void info(std::string_view event, std::initializer_list<Field> fields = {}) const;
  void warn(std::string_view event, std::initializer_list<Field> fields = {}) const;
  void error(std::string_view event, std::initializer_list<Field> fields = {}) const;

 private:
  void write(Level level, std::string_view event, std::initializer_list<Field> fields) const;
  std::string_view component_;
};

}  // namespace hearth::telemetry
