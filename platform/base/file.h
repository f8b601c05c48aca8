// Whole small files: read with a bound, written atomically and durably.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace hearth::base {

// kTooLarge when the file is longer than `bytes_max`.
Result<std::string> read_file(const std::filesystem::path& path,
                              std::size_t bytes_max = 64UL * 1024 * 1024);

// Written beside the target, flushed, renamed over it, folder flushed: a reader (or a crash) sees
// the old file or the new one. `mode` as for open(2).
Status write_file_atomically(const std::filesystem::path& path, std::string_view bytes,
                             unsigned mode = 0644);

// In place, never by a new file: for those that others hold open or have mounted. Readable by all,
// whatever the umask. Not durable, and cut to its length last: a reader meanwhile finds old and new
// mixed, but never nothing.
Status overwrite_file(const std::filesystem::path& path, std::string_view bytes);

// Creates the folder and its parents with mode 0700.
Status make_private_directory(const std::filesystem::path& path);

// Writes all bytes, retrying short writes and EINTR.
Status write_all(int fd, std::string_view bytes);

}  // namespace hearth::base
