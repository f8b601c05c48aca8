// Runs one command of a build and waits for it: in a jail (platform/process/jail.h) whose root is
// the stage's tree, or without one in a folder of the host. The command is process 1 of its pid
// namespace: when it ends or is killed, everything it started ends with it.
//
// Blocking: for a pool thread.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/process/jail.h"
#include "platform/process/landlock.h"

namespace hearth::builder {

struct Command {
  std::filesystem::path root;
  std::vector<process::Mount> mounts;  // in order
  std::vector<std::string> argv;       // argv[0] is a path
  std::vector<std::string> env;
  std::string working_dir = "/";  // within the root
  bool network = true;
  // kNone: no namespaces; root and mounts are ignored, working_dir is a folder of the host. The
  // system call filter is in force all the same.
  enum class Isolation { kJail, kNone } isolation = Isolation::kJail;
  std::optional<process::LandlockRules> files;  // what it may touch; needs no namespaces
  std::chrono::steady_clock::time_point deadline;
  std::function<bool()> is_cancelled;                 // may be empty
  std::function<void(std::string_view line)> output;  // both streams, bounded lines
};

struct CommandOutcome {
  enum class Kind { kExited, kSignalled, kTimedOut, kCancelled } kind = Kind::kExited;
  int code = 0;  // exit code or signal
};

// kUnavailable when the kernel withholds namespaces, kPreconditionFailed when the command can't be
// started for any other reason: among them a mount that fails, which may be the tree's doing.
Result<CommandOutcome> run_command(const Command& command);

// Why this machine gives no command a jail; empty when it does. Tries a fixed one that holds
// nothing of anybody's, so that no build has a say in the answer. `folder`: an empty one.
std::string isolation_withheld(const std::filesystem::path& folder);

}  // namespace hearth::builder
