// libgit2's beginning and its errors, for the files that call it.
#pragma once

#include "platform/lambda/source.h"

namespace hearth::lambda {

// Before any other call of libgit2; as often as wanted.
void open_git_library();

// What the last call on this thread failed with; `code` is what it returned.
Error git_error(const GitLocation& location, int code);

}  // namespace hearth::lambda
