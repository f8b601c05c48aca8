// How much memory an xz file has its reader use. liblzma takes the size of the dictionary from the
// file, up to 4 GiB, and libarchive sets it no limit: so the headers of all blocks are looked at
// beforehand. Nothing is decompressed: LZMA2 tells the length of each of its chunks.
//
// Format: https://tukaani.org/xz/xz-file-format.txt; of LZMA2's chunks, liblzma's lzma2_decoder.c.
#pragma once

#include <cstdint>

#include <sys/types.h>

#include "platform/base/result.h"

namespace hearth::oci {

inline constexpr std::uint64_t kXzDictionaryBytesMax = 64ULL * 1024 * 1024;  // of `xz -9`

// `fd`: a file; `begin`: where in it the xz begins. kTooLarge when a block of any of its streams
// wants a larger dictionary. What is damaged passes up to there, for no reader comes further.
Status check_xz_dictionaries(int fd, off_t begin);

}  // namespace hearth::oci
