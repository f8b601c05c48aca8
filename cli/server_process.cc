#include "cli/server_process.h"

#include <CLI/CLI.hpp>

#include "platform/telemetry/log.h"

namespace hearth::cli {

sigset_t block_stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return set;
}

void configure_log(const std::string& level, const std::string& format, bool access_log) {
  telemetry::configure_log({.level = level == "debug"   ? telemetry::Level::kDebug
                                     : level == "warn"  ? telemetry::Level::kWarn
                                     : level == "error" ? telemetry::Level::kError
                                                        : telemetry::Level::kInfo,
                            .format = format == "json"   ? telemetry::LogFormat::kJson
                                      : format == "text" ? telemetry::LogFormat::kText
                                                         : telemetry::LogFormat::kAuto,
                            .access_log = access_log});
}

void add_log_flags(CLI::App& command, std::string& level, std::string& format) {
  command.add_option("--log-format", format, "auto, json or text")
      ->check(CLI::IsMember({"auto", "json", "text"}))
      ->envname("HEARTH_LOG_FORMAT");
  command.add_option("--log-level", level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->envname("HEARTH_LOG_LEVEL");
}

}  // namespace hearth::cli
