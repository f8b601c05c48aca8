// Where the daemon keeps its state, and the flags by which every command finds it.
#pragma once

#include <filesystem>
#include <string>

namespace CLI {
class App;
}

namespace hearth::cli {

// $XDG_DATA_HOME/hearth, else ~/.local/share/hearth.
std::filesystem::path default_state();

// $XDG_CACHE_HOME/hearth, else ~/.cache/hearth: what builds download and compile.
std::filesystem::path default_cache();

// What most commands ask of their user: which daemon, which namespace.
struct Target {
  std::string state;
  std::string ns = "default";

  std::filesystem::path state_folder() const;
};

void add_state_flag(CLI::App& command, Target& target);
void add_namespace_flag(CLI::App& command, Target& target);
// Both.
void add_target_flags(CLI::App& command, Target& target);

}  // namespace hearth::cli
