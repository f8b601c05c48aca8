// The part of the sandbox that runs between clone() and exec(), in a copy of a process with many
// threads: only system calls, no allocation. So everything it needs is laid out before, as a plan.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "emulator/builder/sandbox.h"

namespace hearth::builder {

enum class ChildStep : int { kIdentity, kPrivateMounts, kRoot, kMount, kPivot, kDirectory, kExec };

struct ChildFailure {
  ChildStep step = ChildStep::kExec;
  int index = 0;  // of the mount
  int error = 0;
};

class ChildPlan {
 public:
  ChildPlan(const SandboxCommand& command, unsigned long flags, int output, int report);
  ChildPlan(const ChildPlan&) = delete;
  ChildPlan& operator=(const ChildPlan&) = delete;
  std::string describe(const ChildFailure& failure) const;

  struct Mount {
    SandboxMount::Kind kind;
    std::string source;
    std::string target;
    std::string options;
  };
  bool isolated = true;
  bool user_namespace = false;
  int output;
  int report;
  std::string uid_map;
  std::string gid_map;
  std::string root;
  std::string working_dir;
  std::vector<Mount> mounts;
  std::vector<char*> argv;
  std::vector<char*> env;
  unsigned long cpu_seconds_max = 0;

 private:
  std::vector<std::string> kept_argv_;
  std::vector<std::string> kept_env_;
};

[[noreturn]] void run_child(const ChildPlan& plan);

}  // namespace hearth::builder
