// What the process says when it ends (documented in docs/cli.md, tested by tests/e2e).
#pragma once

#include "platform/base/error.h"

namespace hearth::cli {

enum ExitCode {
  kOk = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFoundCode = 3,
  kConflictCode = 4,
  kInvalidCode = 5,
  kTimeoutCode = 6,
  kUnreachable = 7,
  kFunctionError = 8,
  kInterrupted = 130,
};

int exit_code_of(const Error& error);
// "error: what\n" on standard error; returns the exit code.
int report(const Error& error);

}  // namespace hearth::cli
