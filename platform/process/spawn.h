// Starts a process, optionally in a jail of its own (jail.h) and confined by a system call filter,
// landlock, a control group and rlimits. Returns a pidfd; the caller watches it.
//
// Called on any thread; costs a fork of this (small) process. All that the child does before exec
// is system calls on memory prepared before.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "platform/base/result.h"
#include "platform/base/unique_fd.h"
#include "platform/process/jail.h"
#include "platform/process/landlock.h"
#include "platform/process/seccomp_filter.h"

namespace hearth::process {

class Cgroup;

struct ResourceLimits {
  std::uint64_t address_space = 0;  // bytes; 0: unlimited
  std::uint64_t processes = 0;      // of the user, so of all its jails
  std::uint64_t open_files = 1024;
  std::uint64_t file_bytes = 0;
  std::uint64_t cpu_seconds = 0;
};

struct SpawnRequest {
  std::vector<std::string> argv;  // argv[0]: a path (in the jail, when there is one)
  std::vector<std::string> env;   // "NAME=value"
  std::string working_dir = "/";
  std::vector<std::pair<int, int>> fds;  // ours → the child's; all others are closed
  ResourceLimits limits;
  std::optional<Jail> jail;
  const SeccompFilter* seccomp = nullptr;  // none, or made once and shared
  std::optional<LandlockRules> landlock;   // paths as seen in the jail
  const Cgroup* cgroup = nullptr;
  bool watch_binds = false;  // Child::binds gets the process's bind() calls: bind_watch.h
};

struct Child {
  pid_t pid = -1;
  base::UniqueFd pidfd;  // readable when the process has ended
  base::UniqueFd binds;  // with watch_binds; closed when the kernel withholds it
};

// kForbidden when the kernel withholds namespaces: a daemon that is root without the right to make
// them gets a second try in a user namespace first. kPreconditionFailed when the jail can't be laid
// out or the program can't be executed, kNotFound when the program does not exist.
Result<Child> spawn(const SpawnRequest& request);

// Whether spawn() failed because the kernel gives nobody a jail: clone, mapping the user, private
// mounts. Only then may a caller go on without one. All other failures may lie with the content of
// the jail, and who makes that must not be able to get rid of it.
bool withholds_namespaces(const Error& error);

// Exit code, or 128 + signal. The process must have ended (its pidfd is readable); reaps it.
int reap(const Child& child);
void send_signal(const Child& child, int signal);

}  // namespace hearth::process
