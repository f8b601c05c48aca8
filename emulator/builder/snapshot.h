// What a command changed in a folder: states of all files before and after, and the difference as
// entries of a layer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "platform/base/result.h"
#include "platform/oci/checkpoint.h"

namespace hearth::oci {
class LayerWriter;
}

namespace hearth::builder {

struct FileState {
  unsigned mode = 0;  // type and permissions
  std::uint64_t size = 0;
  std::int64_t modified_ns = 0;
  std::int64_t changed_ns = 0;  // sees a change that sets its own modification time back
  std::uint64_t inode = 0;
  std::uint64_t device = 0;  // of a device file
  bool operator==(const FileState&) const = default;
};

// Sorted by path relative to the root.
using Snapshot = std::map<std::string, FileState>;

// kTooLarge for a path over the bounds of a layer.
Result<Snapshot> take_snapshot(const std::filesystem::path& root,
                               const oci::Checkpoint& checkpoint);

// Adds what is new or changed (with the folders above it), and whiteouts for what is gone.
Status add_difference(const Snapshot& before, const Snapshot& after,
                      const std::filesystem::path& root, const oci::Checkpoint& checkpoint,
                      oci::LayerWriter& writer);

}  // namespace hearth::builder
