// The folder a build copies from: what .dockerignore leaves of it, within bounds. A link is copied
// as a link; a path is never resolved out of the folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/builder/ignore_file.h"
#include "platform/base/result.h"
#include "platform/oci/checkpoint.h"

namespace hearth::builder {

// One thing to copy.
struct CopyItem {
  enum class Kind { kFile, kDirectory, kLink } kind = Kind::kFile;
  std::string relative;  // below the destination
  std::string source;    // the file's real place; no fs::path, which takes many times the room
  unsigned mode = 0;
  std::uint64_t size = 0;
  std::string link_target;
  // The source itself was a file: a destination that is no folder takes its place.
  bool is_whole_source = false;
};

// In memory: some two million files with usual paths.
inline constexpr std::size_t kCopyListBytesMax = 512ULL * 1024 * 1024;

// What one instruction copies. Has a bound of its own: patterns and several sources may mean the
// same files many times over.
struct CopyList {
  std::vector<CopyItem> items;
  std::size_t bytes = 0;

  // kTooLarge over kCopyListBytesMax.
  Status add(CopyItem item);
  Status add(CopyList more);
};

class BuildContext {
 public:
  // Reads {dockerfile}.dockerignore, else .dockerignore. kTooLarge over limits.h and over the
  // bounds of ignore_file.h.
  static Result<BuildContext> open(std::filesystem::path root, std::string_view dockerfile,
                                   oci::Checkpoint checkpoint);
  // Another stage's tree: nothing is ignored, no bounds but the disk's.
  static BuildContext of_tree(std::filesystem::path root, oci::Checkpoint checkpoint);

  // The whole file at a path within the folder (Dockerfile).
  Result<std::string> read(std::string_view path, std::size_t bytes_max) const;
  // Everything that a source of COPY means. A pattern may match nothing (the caller decides); a
  // plain path that is absent is kNotFound; kTooLarge over the bounds below and of glob.h.
  Result<CopyList> find(std::string_view source) const;

 private:
  BuildContext(std::filesystem::path root, oci::Checkpoint checkpoint)
      : root_(std::move(root)), checkpoint_(std::move(checkpoint)) {}
  Status read_ignore_file(std::string_view dockerfile);
  Status check_bounds() const;
  // The real place of a path, links resolved as if the folder were the root.
  Result<std::filesystem::path> resolve(std::string_view path) const;
  Status collect(const std::filesystem::path& path, CopyList& out) const;
  // The paths that a pattern matches, sorted.
  Result<std::vector<std::string>> matches(std::string_view pattern) const;
  Result<bool> ignores(const std::filesystem::path& path) const;

  std::filesystem::path root_;
  oci::Checkpoint checkpoint_;
  IgnoreFile ignore_;
};

bool is_pattern(std::string_view source);
// SHA-256 in hex of a file's bytes, the link itself not followed.
Result<std::string> hash_file(const std::filesystem::path& path, const oci::Checkpoint& checkpoint);

}  // namespace hearth::builder
