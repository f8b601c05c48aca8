// A git repository, cloned by a process of its own. libgit2 1.5 has no time-outs: only a process
// can be ended whatever it waits for. It gets the order on standard input (credentials are neither
// in its arguments nor in its environment), a few variables of ours, and it dies with us.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "platform/async/task.h"
#include "platform/lambda/source.h"

namespace hearth::async {
class Loop;
}

namespace hearth::lambda {

struct CloneProcessOptions {
  std::string executable;  // called as `executable __clone`: cli/clone.cc
  std::chrono::seconds deadline;
};

// On the loop. The errors of clone_git; kUnavailable also when there is no answer within the
// deadline. Whatever ends it, also a cancellation, ends the process and all that it started.
Task<Status> clone_by_process(async::Loop& loop, CloneProcessOptions options, GitLocation location,
                              std::filesystem::path folder);

}  // namespace hearth::lambda
