// Landlock: what a process may touch of the files that it sees, and that it can't signal others or
// reach their abstract sockets. For good, for itself and its children.
//
// In a jail, which shows nothing foreign, reading is free and writing is bound to some folders.
// Without one (the kernel withholds namespaces) reading is bound too, and landlock is what keeps
// the state folder from functions. Plans are made before a fork; applying is system calls only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hearth::process {

struct LandlockRules {
  std::vector<std::string> writable;
  bool restrict_reading = false;
  std::vector<std::string> readable;  // with restrict_reading; writable ones are readable too
};

// The version of the kernel's interface; 0: none.
int landlock_version();

struct LandlockPlan {
  // The ruleset's attributes as the kernel takes them, of the length its version knows.
  std::vector<std::uint64_t> attributes;
  struct Rule {
    std::string path;
    std::uint64_t access_folder = 0;  // only these apply to
    std::uint64_t access_file = 0;    // a file
  };
  std::vector<Rule> rules;
  std::uint64_t read_access = 0;  // for a folder that is known later; 0: reading is free
};

// Empty attributes: this kernel has no landlock, nothing is to be applied.
LandlockPlan plan_landlock(const LandlockRules& rules, int version);

// Paths that don't exist are left out. False: errno says why.
bool apply_landlock(const LandlockPlan& plan);

}  // namespace hearth::process
