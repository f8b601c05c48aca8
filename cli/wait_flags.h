// --wait and --timeout, as all commands have them that can wait for what they began.
#pragma once

#include <chrono>
#include <string>

#include "platform/base/result.h"

namespace CLI {
class App;
}

namespace hearth::cli {

struct WaitFlags {
  bool wait = false;
  std::string timeout = "5m";

  // kBadRequest names the flag.
  Result<std::chrono::nanoseconds> patience() const;
};

// `help`: what --wait waits for.
void add_wait_flags(CLI::App& command, WaitFlags& flags, const std::string& help);

}  // namespace hearth::cli
