// Starts a process, optionally in a jail of its own: namespaces, a private root made of read-only
// pieces of the host, no rights. Returns a pidfd; the caller watches it.
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

namespace hearth::process {

struct Bind {
  std::string source;  // on the host
  std::string target;  // absolute, within the jail
  bool writable = false;
};

struct Jail {
  std::string root;  // an empty folder of the host; a tmpfs is mounted over it in the jail only
  std::vector<Bind> binds;                                 // in order; missing sources are left out
  std::vector<std::pair<std::string, std::string>> links;  // target, path: made before the binds
  std::vector<std::pair<std::string, std::string>> files;  // path, content: small generated files
  std::string tmp_bytes = "64m";                           // size of the tmpfs on /tmp
  std::string hostname = "function";
  // Keep the namespace's capabilities: only for the fork server, whose children give them up.
  bool keep_capabilities = false;
  // Run as this user when the daemon is root; otherwise the daemon's own user, mapped to it.
  std::uint32_t uid = 65532;
};

struct ResourceLimits {
  std::uint64_t address_space = 0;  // bytes; 0: unlimited
  std::uint64_t processes = 0;
  std::uint64_t open_files = 1024;
  std::uint64_t file_bytes = 0;
};

struct SpawnRequest {
  std::vector<std::string> argv;  // argv[0]: a path (in the jail, when there is one)
  std::vector<std::string> env;   // "NAME=value"
  std::string working_dir = "/";
  std::vector<std::pair<int, int>> fds;  // ours → the child's; all others are closed
  ResourceLimits limits;
  std::optional<Jail> jail;
  bool own_session = true;
};

struct Child {
  pid_t pid = -1;
  base::UniqueFd pidfd;  // readable when the process has ended
};

// kForbidden when the kernel withholds the namespaces (the caller may try without a jail).
// kNotFound when the program does not exist.
Result<Child> spawn(const SpawnRequest& request);

// The pieces of the host that programs need to run: /usr, /lib*, /bin, parts of /etc, …
std::vector<Bind> host_binds();

// Exit code, or 128 + signal. The process must have ended (its pidfd is readable); reaps it.
int reap(const Child& child);
void send_signal(const Child& child, int signal);

}  // namespace hearth::process
