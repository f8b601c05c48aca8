// A function's code from a repository that was cloned: the exact ref or an error, files read from
// the commit's tree (never through the file system, so a symlink leads nowhere), within the limits
// of a build context. Blocking, but without a network: for a pool thread.
#pragma once

#include <filesystem>

#include "platform/lambda/source.h"

namespace hearth::lambda {

// `folder`: a bare repository. kNotFound names repository, ref or path.
Result<SourceTree> read_git_tree(const std::filesystem::path& folder, const GitLocation& location);

}  // namespace hearth::lambda
