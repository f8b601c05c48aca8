// A folder of a developer as the archive of a function's source: what .dockerignore (else
// .gitignore) leaves of it, reproducible, and nothing from outside of the folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "platform/base/result.h"

namespace hearth::cli {

struct FolderArchive {
  std::string tar_gz;
  std::string hash;                // SHA-256 of the files and their names, hex
  std::vector<std::string> files;  // relative, sorted
};

// `without`: a file at the top that is left out (the function's manifest). Links are followed
// within the folder; kForbidden for one that leaves it. kTooLarge over limits.h, kNotFound when
// nothing is left.
Result<FolderArchive> pack_folder(const std::filesystem::path& folder, const std::string& without);

}  // namespace hearth::cli
