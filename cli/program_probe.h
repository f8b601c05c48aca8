// Looks for a program on the PATH and asks for its version.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace hearth::cli {

struct ProbedProgram {
  std::string path;     // empty: not on the PATH
  std::string version;  // the first line that it printed; empty when it did not start or hung
  std::chrono::milliseconds start_time{0};
};

// Runs `name arguments…` with a limit of five seconds.
ProbedProgram probe_program(const std::string& name, const std::vector<std::string>& arguments);

}  // namespace hearth::cli
