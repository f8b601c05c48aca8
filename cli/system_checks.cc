#include "cli/system_checks.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli/daemon.h"
#include "cli/port_holder.h"
#include "cli/program_probe.h"
#include "platform/base/file.h"
#include "platform/base/text.h"
#include "platform/process/mechanisms.h"

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

std::string advice_for(const std::string& mechanism) {
  if (mechanism == "namespaces") {
    return "sysctl -w kernel.unprivileged_userns_clone=1 (or "
           "kernel.apparmor_restrict_unprivileged_userns=0), run outside of a restricted "
           "container, "
           "or `hearth up --no-sandbox` for code that you trust";
  }
  if (mechanism == "control groups") {
    return "start the daemon with `systemd-run --user --scope -p Delegate=yes hearth up`, or as "
           "root; until then limits are rlimits, which bound address space and not memory";
  }
  return "use a kernel that has it; functions run with what is left";
}

void add_mechanisms(std::vector<Check>& out) {
  for (const process::Mechanism& found : process::kernel_mechanisms()) {
    // Without namespaces functions see the machine: that is not what was promised.
    const Verdict missing = found.name == "namespaces" ? Verdict::kFail : Verdict::kWarn;
    out.push_back({found.name, found.available ? Verdict::kPass : missing, found.detail,
                   found.available ? "" : advice_for(found.name)});
  }
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
  const auto holder = port_holder(port, PortScope::kLoopback);
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
  std::vector<Check> out{
      check_program("python3", {"--version"}, Verdict::kFail, "Python functions"),
      check_program("node", {"--version"}, Verdict::kWarn, "Node.js functions"),
      check_program("go", {"version"}, Verdict::kWarn, "Go functions")};
  add_mechanisms(out);
  out.push_back(check_disk(state));
  out.push_back(check_port(8080, "--port", daemon));
  out.push_back(check_port(6443, "--api-port", daemon));
  out.push_back(check_port(9000, "--s3-port", daemon));
  out.push_back(check_port(5001, "--registry-port", daemon));
  return out;
}

}  // namespace hearth::cli
