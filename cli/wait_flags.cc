#include "cli/wait_flags.h"

#include <CLI/CLI.hpp>

#include "cli/flag_values.h"

namespace hearth::cli {

Result<std::chrono::nanoseconds> WaitFlags::patience() const {
  return duration_flag(timeout, "--timeout");
}

void add_wait_flags(CLI::App& command, WaitFlags& flags, const std::string& help) {
  command.add_flag("--wait", flags.wait, help);
  command.add_option("--timeout", flags.timeout, "How long --wait waits")
      ->check(check_duration)
      ->type_name("DURATION")
      ->capture_default_str();
}

}  // namespace hearth::cli
