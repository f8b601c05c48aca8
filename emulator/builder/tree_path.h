// Paths in a stage's tree, which strangers fill: a link in it means a place in the tree, and no
// path leads out of it. For whatever the daemon itself does there; commands have the tree as their
// root. Blocking. Nothing else may change the tree meanwhile.
#pragma once

#include <filesystem>
#include <string_view>

#include "platform/base/result.h"

namespace hearth::builder {

// Makes the folder with those above it, as far as they are missing; links are followed within the
// tree. Its real path on this machine. kPreconditionFailed where a file or a link that leads
// nowhere stands in the way.
Result<std::filesystem::path> make_folder_in(const std::filesystem::path& tree,
                                             std::string_view path);

// Whether a folder is there; a link at the end of the path is none.
bool has_folder_in(const std::filesystem::path& tree, std::string_view path);

// Removes an empty file, an empty folder or a link. What has content stays, and so does what can be
// reached through links only.
void remove_empty_in(const std::filesystem::path& tree, std::string_view path);

}  // namespace hearth::builder
