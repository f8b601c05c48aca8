// Archives told by their first bytes, for files whose names say nothing.
#pragma once

#include <string_view>

namespace hearth::oci {

// kForeign: an archive that extract_archive() doesn't read.
enum class ArchiveMark { kNone, kReadable, kForeign };

// What a file is compressed with.
enum class Packing { kNone, kGzip, kZstd, kBzip2, kXz };

// As archive_mark().
Packing packing_of(std::string_view bytes);

// `bytes` is the file, of any length, or its beginning: 512 bytes tell all. A tar without a magic
// number (before POSIX.1-1988) is kNone.
ArchiveMark archive_mark(std::string_view bytes);

}  // namespace hearth::oci
