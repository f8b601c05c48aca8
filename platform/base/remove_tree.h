// Removal of trees that others made, as deep as they like: by commands of a build, by functions.
//
// std::filesystem::remove_all() holds a descriptor for each level, so that a deep tree takes those
// of the whole process or stays for ever. This one holds a few dozen at most, whatever the depth
// and the length of the paths, and needs no more memory for more files.
#pragma once

#include <filesystem>

#include "platform/base/result.h"

namespace hearth::base {

// Removes the file, link or folder with all that is in it; nothing there is well. No link is
// followed: of a link the link goes. Folders that their owner may not read or write are made so
// first. What can't be removed stays, all else goes, and the error names the first that stayed.
// Blocks as long as it takes. Thread-safe.
Status remove_tree(const std::filesystem::path& path);

}  // namespace hearth::base
