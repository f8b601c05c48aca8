// Writes one layer: a reproducible tar (paths sorted, one fixed time, owner 0:0, modes normalised
// when asked), plain or gzip, streamed to a sink while it is hashed.
//
// Entries are collected first; finish() sorts them, adds the parent directories that were not named
// (when asked) and writes. Blocking: for a pool thread. Memory: the list of entries and fixed
// buffers. A path is bounded as path_bounds.h says. Format: pax restricted (extensions only where a
// name or size needs them), OCI image specification, layer.
#pragma once

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "platform/base/result.h"
#include "platform/oci/checkpoint.h"
#include "platform/oci/digest.h"

struct archive;

namespace hearth::oci {

enum class Compression { kNone, kGzip };
// kNormalise: directories and executable files 0755, other files 0644, so that neither the umask
// nor the checkout of a context changes the digest. kKeep: as given.
enum class ModePolicy { kNormalise, kKeep };
// kOmit: for layers upon a base whose folders keep their own modes (/tmp); who unpacks makes the
// missing ones.
enum class ParentPolicy { kAdd, kOmit };

struct LayerOptions {
  Compression compression = Compression::kGzip;
  ModePolicy modes = ModePolicy::kNormalise;
  ParentPolicy parents = ParentPolicy::kAdd;
  std::time_t time = 0;  // of every entry: SOURCE_DATE_EPOCH
  Checkpoint checkpoint;
};

struct WrittenLayer {
  Digest digest;   // of what went to the sink
  Digest diff_id;  // of the tar inside
  std::uint64_t size = 0;
  std::string media_type;
};

class LayerWriter {
 public:
  using Sink = std::function<Status(std::string_view bytes)>;

  LayerWriter(LayerOptions options, Sink sink);

  // `path` is absolute or relative to the image's root; a path that was added before is replaced.
  // The file behind `source` is opened (not following a link) when the layer is written.
  void add_file(std::string_view path, std::filesystem::path source, unsigned mode);
  void add_bytes(std::string_view path, std::string bytes, unsigned mode);
  void add_directory(std::string_view path, unsigned mode);
  void add_symlink(std::string_view path, std::string target);
  // Marks what lower layers have at this path as removed.
  void add_whiteout(std::string_view path);

  bool empty() const { return entries_.empty(); }
  // Call once. Bytes that were added are freed as they are written.
  Result<WrittenLayer> finish();

 private:
  struct Entry {
    enum class Kind { kFile, kBytes, kDirectory, kSymlink } kind = Kind::kFile;
    unsigned mode = 0;
    std::filesystem::path source;
    std::string bytes;  // content, or the target of a link
  };
  void add(std::string_view path, Entry entry);
  void add_parents();
  unsigned mode_of(const Entry& entry) const;
  Status write(archive* writer, const std::string& path, const Entry& entry) const;

  LayerOptions options_;
  Sink sink_;
  std::map<std::string, Entry> entries_;
};

}  // namespace hearth::oci
