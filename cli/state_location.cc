#include "cli/state_location.h"

#include <cstdlib>

#include <CLI/CLI.hpp>

namespace hearth::cli {

std::filesystem::path default_state() {
  if (const char* data = std::getenv("XDG_DATA_HOME"); data != nullptr && *data != '\0') {
    return std::filesystem::path(data) / "hearth";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : ".") / ".local/share/hearth";
}

std::filesystem::path Target::state_folder() const {
  return std::filesystem::absolute(state.empty() ? default_state() : std::filesystem::path(state));
}

void add_state_flag(CLI::App& command, Target& target) {
  command.add_option("--state", target.state, "State folder of the daemon to talk to")
      ->envname("HEARTH_STATE")
      ->type_name("DIR");
}

void add_namespace_flag(CLI::App& command, Target& target) {
  command.add_option("-n,--namespace", target.ns, "Namespace")
      ->envname("HEARTH_NAMESPACE")
      ->type_name("NS")
      ->capture_default_str();
}

void add_target_flags(CLI::App& command, Target& target) {
  add_namespace_flag(command, target);
  add_state_flag(command, target);
}

}  // namespace hearth::cli
