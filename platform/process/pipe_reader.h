// Reads from a pipe, and waits for a descriptor to become readable, on a loop.
#pragma once

#include <memory>

#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::async {
class Loop;
}

namespace hearth::process {

class PipeReader {
 public:
  PipeReader(async::Loop& loop, base::UniqueFd fd);
  ~PipeReader();

  // 0: all writers have closed.
  Task<Result<std::size_t>> read_some(char* data, std::size_t size);
  // For descriptors that are not read but watched (pidfds). False when cancelled.
  Task<bool> wait_readable();
  int fd() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::process
