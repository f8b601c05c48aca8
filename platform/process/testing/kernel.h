// For tests: what the kernel itself offers, asked without the product. A test that is skipped where
// the product finds nothing passes as well when the product has stopped to look.
#pragma once

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hearth::process::kernel {

inline std::string text_of(const std::filesystem::path& file) {
  std::stringstream out;
  out << std::ifstream(file).rdbuf();
  return out.str();
}

// The line is there when CONFIG_SECCOMP_FILTER is.
inline bool has_filters() {
  return text_of("/proc/self/status").contains("\nSeccomp_filters:") ||
         ::prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER;
}

inline int landlock_version() {
  constexpr unsigned kAskVersion = 1;
  return std::max(0, static_cast<int>(::syscall(444, nullptr, 0, kAskVersion)));
}

// Whether `work` is true in a child with these namespaces.
template <typename Work>
bool holds_in_child(int namespaces, const Work& work) {
  const auto flags = static_cast<unsigned long>(namespaces | SIGCHLD);
  const long pid = ::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr);
  if (pid == 0) ::_exit(work() ? 0 : 1);
  int status = 0;
  return pid > 0 && ::waitpid(static_cast<pid_t>(pid), &status, 0) == pid && status == 0;
}

// An outer filter with a listener of its own withholds them (EBUSY).
inline bool gives_notifications() {
  return holds_in_child(0, [] {
    sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog program{1, code};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                     &program) >= 0;
  });
}

// With a mount that is one's own: some distributions give out empty user namespaces only.
inline bool gives_namespaces() {
  constexpr int kWanted = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  const auto make_private = [] {
    return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  };
  const std::string map = "0 " + std::to_string(::geteuid()) + " 1\n";
  const auto make_private_mapped = [&] {
    const int file = ::open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    return ::write(file, map.data(), map.size()) == static_cast<ssize_t>(map.size()) &&
           make_private();
  };
  return holds_in_child(kWanted, make_private) ||
         holds_in_child(kWanted | CLONE_NEWUSER, make_private_mapped);
}

struct Groups {
  int version = 0;  // 0: none may be made
  std::vector<std::string> controllers;
};

// A process's folder in a hierarchy: /proc/self/cgroup has "4:memory:/path" lines, version 2 "0::".
inline std::filesystem::path own_group(const std::string& controller) {
  std::istringstream lines(text_of("/proc/self/cgroup"));
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    const std::string names = "," + line.substr(first + 1, second - first - 1) + ",";
    if (!names.contains("," + controller + ",")) continue;
    return "/sys/fs/cgroup/" + controller + line.substr(second + 1);
  }
  return {};
}

// Of a hierarchy of version 1: by making a group.
inline bool may_be_divided(const std::filesystem::path& group) {
  const auto made = group / ("hearth-probe-" + std::to_string(::getpid()));
  if (group.empty() || ::mkdir(made.c_str(), 0755) != 0) return false;
  const bool usable = ::access((made / "tasks").c_str(), W_OK) == 0;
  ::rmdir(made.c_str());
  return usable;
}

inline std::vector<std::string> words(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// Version 2 passes controllers on from a group without processes of its own only, so this process
// must be alone in it, to move aside; or they are passed on already; or it is the root, which has
// no cgroup.type.
inline bool may_be_delegated(const std::filesystem::path& group,
                             const std::vector<std::string>& controllers) {
  namespace fs = std::filesystem;
  if (::access(group.c_str(), W_OK) != 0 || ::access((group / "cgroup.procs").c_str(), W_OK) != 0) {
    return false;
  }
  const auto passed = words(text_of(group / "cgroup.subtree_control"));
  const bool all_passed = std::ranges::all_of(controllers, [&](const std::string& name) {
    return std::ranges::find(passed, name) != passed.end();
  });
  return all_passed || !fs::exists(group / "cgroup.type") ||
         words(text_of(group / "cgroup.procs")) == std::vector{std::to_string(::getpid())};
}

inline Groups groups() {
  Groups out;
  const bool unified = std::filesystem::exists("/sys/fs/cgroup/cgroup.controllers");
  const auto offered = words(text_of(own_group("") / "cgroup.controllers"));
  for (const char* name : {"memory", "pids", "cpu"}) {
    const bool there = unified ? std::ranges::find(offered, name) != offered.end()
                               : may_be_divided(own_group(name));
    if (there) out.controllers.emplace_back(name);
  }
  if (unified && !may_be_delegated(own_group(""), out.controllers)) out.controllers.clear();
  if (!out.controllers.empty()) out.version = unified ? 2 : 1;
  return out;
}

}  // namespace hearth::process::kernel
