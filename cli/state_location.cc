#include "cli/state_location.h"

#include <cstdlib>

#include <CLI/CLI.hpp>

namespace hearth::cli {

namespace {

std::filesystem::path home_folder(const char* variable, const char* below_home) {
  if (const char* folder = std::getenv(variable); folder != nullptr && *folder != '\0') {
    return std::filesystem::path(folder) / "hearth";
  }
  const char* home = std::getenv("HOME");
  return std::filesystem::path(home != nullptr ? home : ".") / below_home / "hearth";
}

}  // namespace

std::filesystem::path default_state() { return home_folder("XDG_DATA_HOME", ".local/share"); }

std::filesystem::path default_cache() {
  return std::filesystem::absolute(home_folder("XDG_CACHE_HOME", ".cache"));
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
