// hearth __clone: clones one git repository for a daemon or operator, which ends this process when
// it takes too long (platform/lambda/clone_process.h).
#include <iostream>
#include <iterator>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "platform/lambda/git_clone.h"

namespace hearth::cli {

int clone() {
  const std::string order{std::istreambuf_iterator<char>(std::cin), {}};
  // The answer tells of a failure, too: the exit code is for a process that could give none.
  std::cout << lambda::carry_out_clone(order);
  return kOk;
}

}  // namespace hearth::cli
