// The daemon in the background: one fork before any thread exists. The child is a session of its
// own and writes to STATE/daemon.log; the parent waits until it says that it is ready.
#pragma once

#include <filesystem>

#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::cli {

struct Detached {
  bool is_parent = false;
  int exit_code = 0;     // of the parent: 0 when the child is ready, else the child's
  base::UniqueFd ready;  // of the child: for report_ready()
};

// Returns in both processes; in the parent only when the child is ready or has ended.
Result<Detached> detach(const std::filesystem::path& state);
void report_ready(Detached& detached);

}  // namespace hearth::cli
