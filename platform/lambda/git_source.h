// A function's code from a git repository: cloned to a scratch folder, the exact ref or an error,
// files read from the commit's tree (never through the file system, so a symlink leads nowhere).
// Blocking: for a pool thread.
#pragma once

#include <filesystem>

#include "platform/lambda/source.h"

namespace hearth::lambda {

// kNotFound names repository, ref or path. kUnauthorized: credentials missing or refused.
Result<SourceTree> fetch_git(const GitLocation& location, const std::filesystem::path& scratch);

}  // namespace hearth::lambda
