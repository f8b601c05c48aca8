// An archive's entries one after the other, with bounds on what reading them costs: however few
// bytes it has, it may unfold to endlessly many, name none of them a file, or ask for gigabytes of
// memory. So one libarchive reader decompresses and another, fed by it piece by piece, reads the
// format: each piece is counted, whatever it stands for.
//
// Blocking; one thread. Errors are those of extract_archive().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "platform/base/result.h"
#include "platform/oci/archive_magic.h"

struct archive;
struct archive_entry;

namespace hearth::oci {

// The beginning of an archive's text, for a message: that goes into a status.
std::string shown(std::string_view text);

struct StreamOptions {
  enum class Formats { kTar, kTarAndZip } formats = Formats::kTar;
  // Decompressed, headers and all, of an archive that is compressed as a whole.
  std::uint64_t unpacked_bytes_max = 0;
};

class ArchiveStream {
 public:
  // `fd`: a file, read from its current offset.
  ArchiveStream(int fd, StreamOptions options);
  ArchiveStream(const ArchiveStream&) = delete;
  ArchiveStream& operator=(const ArchiveStream&) = delete;

  Status open();
  // The next entry, which is valid until the next call; nullptr at the end.
  Result<archive_entry*> next();
  // What is next of the entry's data; 0 at their end.
  Result<std::size_t> read(std::span<char> buffer);

 private:
  struct FreeReader {
    void operator()(archive* value) const;
  };
  using Reader = std::unique_ptr<archive, FreeReader>;

  Status open_packed(Packing packing);
  Status open_formats(bool seekable);
  Result<std::string_view> next_piece();
  Result<std::string_view> unpacked_piece();
  Error failure(std::string_view what);
  static ssize_t give(archive* reader, void* self, const void** bytes);
  static std::int64_t seek(archive* reader, void* self, std::int64_t offset, int whence);

  int fd_;
  StreamOptions options_;
  Reader packed_;  // decompresses; empty when nothing is to be
  Reader formats_;
  std::vector<char> buffer_;
  Status input_;  // why no piece could be given
  bool in_header_ = true;
  std::uint64_t header_bytes_ = 0;
  std::uint64_t unpacked_bytes_ = 0;
};

}  // namespace hearth::oci
