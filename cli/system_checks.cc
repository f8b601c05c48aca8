#include "cli/system_checks.h"

#include <fmt/format.h>
#include <linux/landlock.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/port_holder.h"
#include "cli/program_probe.h"
#include "platform/base/file.h"
#include "platform/base/text.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kDiskWarn = 2ULL << 30;
constexpr std::uint64_t kDiskFail = 200ULL << 20;

Check check_program(const std::string& name, const std::vector<std::string>& arguments,
                    Verdict when_missing, const std::string& needed_for) {
  const ProbedProgram found = probe_program(name, arguments);
  if (found.path.empty()) {
    return {name, when_missing, "not on the PATH",
            fmt::format("install it: {} need it", needed_for)};
  }
  if (found.version.empty()) {
    return {name, when_missing, fmt::format("{} does not start", found.path),
            fmt::format("run `{} {}` to see why", found.path, arguments.front())};
  }
  return {
      name, Verdict::kPass,
      fmt::format("{} at {}, {} ms to start", found.version, found.path, found.start_time.count()),
      ""};
}

// In a child: the namespaces must not become this process's.
bool can_unshare(int flags) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(::unshare(flags) == 0 ? 0 : 1);
  int status = 0;
  return pid > 0 && ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

Check check_namespace(const char* name, int flags, bool user_namespace) {
  if (can_unshare(flags)) return {name, Verdict::kPass, "available; not used yet", ""};
  return {name, Verdict::kFail, "the kernel withholds them",
          user_namespace ? "sysctl -w kernel.unprivileged_userns_clone=1 (or "
                           "kernel.apparmor_restrict_unprivileged_userns=0), or `hearth up "
                           "--no-sandbox` for code that you trust"
                         : "run outside of a restricted container, or `hearth up --no-sandbox` for "
                           "code that you trust"};
}

Check check_landlock() {
  const long version =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version > 0)
    return {"landlock", Verdict::kPass, fmt::format("version {}; not used yet", version), ""};
  return {"landlock", Verdict::kWarn, "not available", "nothing to do: Hearth does not use it yet"};
}

Check check_seccomp() {
  // PR_GET_SECCOMP fails with EINVAL on a kernel that was built without.
  if (::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0)
    return {"seccomp", Verdict::kPass, "available; not used yet", ""};
  return {"seccomp", Verdict::kWarn, "not available", "nothing to do: Hearth does not use it yet"};
}

Check check_cgroup() {
  std::error_code error;
  if (fs::exists("/sys/fs/cgroup/cgroup.controllers", error)) {
    return {"cgroup", Verdict::kPass, "version 2; not used yet", ""};
  }
  const bool v1 = fs::exists("/sys/fs/cgroup/memory", error);
  return {"cgroup", Verdict::kWarn, v1 ? "version 1" : "none",
          "nothing to do: Hearth does not use them yet, limits are rlimits"};
}

Check check_disk(const fs::path& state) {
  fs::path existing = state;
  std::error_code error;
  while (!fs::exists(existing, error) && existing.has_relative_path()) {
    existing = existing.parent_path();
  }
  struct statvfs info{};
  if (::statvfs(existing.c_str(), &info) != 0) {
    return {"disk", Verdict::kWarn, fmt::format("can't ask {}", existing.string()),
            "check --state"};
  }
  const std::uint64_t free_bytes = static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize;
  const std::string detail = fmt::format(
      "{:.1f} GiB free for {}", static_cast<double>(free_bytes) / (1ULL << 30), state.string());
  if (free_bytes >= kDiskWarn) return {"disk", Verdict::kPass, detail, ""};
  return {"disk", free_bytes < kDiskFail ? Verdict::kFail : Verdict::kWarn, detail,
          "free some space, or choose another folder with --state"};
}

Check check_port(std::uint16_t port, const char* flag, pid_t daemon) {
  const std::string name = fmt::format("port {}", port);
  const auto holder = port_holder(port);
  if (!holder) return {name, Verdict::kPass, "free", ""};
  if (daemon != 0 && holder->pid == daemon) {
    return {name, Verdict::kPass, "held by this daemon", ""};
  }
  return {name, Verdict::kWarn, "held by " + holder->text(),
          fmt::format("stop it, or choose another with `hearth up {} PORT`", flag)};
}

}  // namespace

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kWarn:
      return "warn";
    case Verdict::kFail:
      return "fail";
  }
  return "fail";
}

std::vector<Check> check_system(const fs::path& state) {
  const pid_t daemon = running_daemon(state).value_or(0);
  return {
      check_program("python3", {"--version"}, Verdict::kFail, "Python functions"),
      check_program("node", {"--version"}, Verdict::kWarn, "Node.js functions"),
      check_program("go", {"version"}, Verdict::kWarn, "Go functions"),
      check_namespace("user namespaces", CLONE_NEWUSER, true),
      check_namespace("mount namespaces",
                      ::geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS, false),
      check_landlock(),
      check_seccomp(),
      check_cgroup(),
      check_disk(state),
      check_port(8080, "--port", daemon),
      check_port(6443, "--api-port", daemon),
      check_port(9000, "--s3-port", daemon),
      check_port(5001, "--registry-port", daemon),
  };
}

}  // namespace hearth::cli
