// Runs one command of a build in a folder that becomes its root: own mount, pid, ipc and uts
// namespaces (and a user namespace when the daemon is not root), reduced capabilities, bounded
// resources. The command is process 1 of its pid namespace: when it ends or is killed, everything
// it started ends with it.
//
// Blocking: for a pool thread. The mounts are private to the command and leave nothing behind.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"

namespace hearth::builder {

struct SandboxMount {
  // kTouch and kSymlink prepare a place on a fresh tmpfs: an empty file (with its folders), a link
  // to `source`. kFolder: an empty folder with its parents.
  enum class Kind {
    kReadOnly,
    kWritable,
    kOverlay,
    kTmpfs,
    kProc,
    kDevice,
    kTouch,
    kFolder,
    kSymlink
  } kind = Kind::kReadOnly;
  std::filesystem::path source;  // on the host; of an overlay: the lower folder
  std::filesystem::path target;  // on the host, below the root; of an overlay: the upper folder too
  std::filesystem::path scratch;  // an overlay's work folder
};

struct SandboxCommand {
  std::filesystem::path root;
  std::vector<SandboxMount> mounts;  // in order
  std::vector<std::string> argv;     // argv[0] is a path
  std::vector<std::string> env;
  std::string working_dir = "/";  // within the root
  bool network = true;
  // kNone: no namespaces; root and mounts are ignored, working_dir is a folder of the host.
  enum class Isolation { kNamespaces, kNone } isolation = Isolation::kNamespaces;
  std::chrono::steady_clock::time_point deadline;
  std::function<bool()> is_cancelled;                 // may be empty
  std::function<void(std::string_view line)> output;  // both streams, bounded lines
};

struct SandboxOutcome {
  enum class Kind { kExited, kSignalled, kTimedOut, kCancelled } kind = Kind::kExited;
  int code = 0;  // exit code or signal
};

// kUnavailable when the kernel withholds the namespaces or a mount.
Result<SandboxOutcome> run_in_sandbox(const SandboxCommand& command);

}  // namespace hearth::builder
