// An instance that ended though nobody ended it, and how people are told of it. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "platform/base/clock.h"

namespace hearth::serving {

struct Crash {
  std::string revision;    // "ns/name"
  std::string instance;    // its log stays under this name; empty: it never ran
  std::string reason;      // "ImportError", "ExitCode1", "OOMKilled", "StartFailed"
  std::string message;     // what the reason means, in a line or two; may be empty
  std::string last_lines;  // how its log or traceback ends; may be empty
  int exit_code = 0;       // 128 and the number of the signal that ended it
  base::WallTime started{};
  base::WallTime finished{};
  bool has_pod = false;  // it is shown, so that its log can be read
};

// The message of the Event: reason, exit code and wait come first, then as many of the last lines
// as there is room for.
std::string crash_message(const Crash& crash, std::chrono::seconds wait, std::size_t bytes_max);

// The end of a text, from the beginning of a line; of a line that is too long itself, its end.
std::string_view last_whole_lines(std::string_view text, std::size_t bytes_max);

}  // namespace hearth::serving
