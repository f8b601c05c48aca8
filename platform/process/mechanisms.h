// What this machine offers to confine functions with, asked once: for the daemon's log and for
// `hearth doctor`.
#pragma once

#include <string>
#include <vector>

namespace hearth::process {

struct Mechanism {
  std::string name;  // "landlock"
  bool available = false;
  std::string detail;  // its version, or what is done instead
};

// Namespaces, landlock, seccomp, control groups. Forks; makes a group and removes it.
std::vector<Mechanism> kernel_mechanisms();

}  // namespace hearth::process
