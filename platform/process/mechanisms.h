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

// Namespaces, landlock, seccomp. Forks once.
std::vector<Mechanism> kernel_mechanisms();

}  // namespace hearth::process
