#include "platform/process/mechanisms.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/base/text.h"
#include "platform/process/cgroup.h"
#include "platform/process/landlock.h"
#include "platform/process/seccomp_filter.h"

namespace hearth::process {
namespace {

// In a child: the namespaces must not become this process's.
bool can_unshare(int flags) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(::unshare(flags) == 0 ? 0 : 1);
  int status = 0;
  return pid > 0 && ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

Mechanism namespaces() {
  constexpr int kWanted = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  if (::geteuid() == 0 && can_unshare(kWanted)) {
    return {"namespaces", true, "mount, pid, ipc and uts, made as root"};
  }
  if (can_unshare(kWanted | CLONE_NEWUSER)) {
    return {"namespaces", true, "user, mount, pid, ipc and uts"};
  }
  return {"namespaces", false, "functions share the machine's processes and see its files"};
}

Mechanism landlock() {
  const int version = landlock_version();
  if (version > 0) return {"landlock", true, fmt::format("version {}", version)};
  return {"landlock", false, "the jail's read-only mounts bound writing alone"};
}

Mechanism seccomp() {
  if (has_seccomp()) return {"seccomp", true, "filters"};
  return {"seccomp", false, "functions may make every system call"};
}

Mechanism control_groups() {
  const auto tree = CgroupTree::make("hearth");
  if (!tree) return {"control groups", false, tree.error().message};
  return {"control groups", true,
          fmt::format("version {}: {}", tree->version(), base::join(tree->controllers(), ", "))};
}

}  // namespace

std::vector<Mechanism> kernel_mechanisms() {
  return {namespaces(), landlock(), seccomp(), control_groups()};
}

}  // namespace hearth::process
