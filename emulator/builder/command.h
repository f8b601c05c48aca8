// Runs one command of a build and waits for it: in a jail (platform/process/jail.h) whose root is
// the stage's tree, or without one in a folder of the host. The command is process 1 of its pid
// namespace: when it ends or is killed, everything it started ends with it.
//
// Blocking: for a pool thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/process/jail.h"

namespace hearth::builder {

struct Command {
  std::filesystem::path root;
  std::vector<process::Mount> mounts;  // in order
  std::vector<std::string> argv;       // argv[0] is a path
  std::vector<std::string> env;
  std::string working_dir = "/";  // within the root
  bool network = true;
  // kNone: no namespaces; root and mounts are ignored, working_dir is a folder of the host.
  enum class Isolation { kJail, kNone } isolation = Isolation::kJail;
  std::chrono::steady_clock::time_point deadline;
  std::function<bool()> is_cancelled;                 // may be empty
  std::function<void(std::string_view line)> output;  // both streams, bounded lines
};

struct CommandOutcome {
  enum class Kind { kExited, kSignalled, kTimedOut, kCancelled } kind = Kind::kExited;
  int code = 0;  // exit code or signal
};

// kUnavailable when the kernel withholds the namespaces or a mount.
Result<CommandOutcome> run_command(const Command& command);

}  // namespace hearth::builder
