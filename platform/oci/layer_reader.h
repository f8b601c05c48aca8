// Unpacks a tar (plain, gzip, zstd, bzip2 or xz), of users also a zip, below a folder, trusting
// nothing in it: absolute paths, "..", devices, sockets and pipes are refused, and no path
// component is resolved outside of the folder, whatever links the archive brought or finds there.
//
// Blocking: for a pool thread. On failure what was unpacked so far stays; the caller removes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "platform/base/limits.h"
#include "platform/base/result.h"
#include "platform/oci/checkpoint.h"

namespace hearth::oci {

struct ExtractOptions {
  // kBuildContext: for archives of users. A link whose target leaves the tree is refused, and so is
  // an entry whose parent is a link. kImageLayer: links are kept as they are (they mean the image's
  // own root), parents that are links are resolved as if the folder were the root, and ".wh."
  // entries remove what lower layers brought (OCI image specification, layer §whiteouts).
  enum class Kind { kBuildContext, kImageLayer } kind = Kind::kBuildContext;
  // Files, folders and links; also folders that only the paths of others name.
  std::size_t files_max = limits::kContextFilesMax;
  std::uint64_t bytes_max = limits::kContextBytesMax;
  Checkpoint checkpoint;
};

struct Extracted {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};

// Reads the archive from `fd`, a file, from its current offset. Errors: kTooLarge over a limit
// (those of path_bounds.h and xz_dictionary.h too, and 8 KiB of headers for each file), kForbidden
// for an entry that tries to leave or is of a refused type, kUnsupported for one of a zip that is
// packed otherwise than with deflate or bzip2, kInvalid for what is no archive, and what the
// checkpoint says.
Result<Extracted> extract_archive(int fd, const std::filesystem::path& destination,
                                  const ExtractOptions& options);

// True when the file starts with an entry of a tar that extract_archive() reads, or refuses as too
// large.
bool is_archive(const std::filesystem::path& file);

}  // namespace hearth::oci
