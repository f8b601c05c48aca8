// What commands that go on running share: signals that end them, and their log.
#pragma once

#include <string>

#include <signal.h>

namespace CLI {
class App;
}

namespace hearth::cli {

// Blocks the stop signals for all threads that are started later, so that one place waits for them.
sigset_t block_stop_signals();

// "debug", "info", "warn", "error"; "auto", "json", "text".
void configure_log(const std::string& level, const std::string& format, bool access_log = false);

// --log-level and --log-format, with their environment.
void add_log_flags(CLI::App& command, std::string& level, std::string& format);

}  // namespace hearth::cli
