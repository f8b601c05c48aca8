#include "emulator/builder/snapshot.h"

#include <cerrno>

#include <fmt/format.h>
#include <sys/stat.h>

#include "platform/oci/layer_writer.h"
#include "platform/oci/path_bounds.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

// An overlay marks what it hides with a device 0/0 (kernel: filesystems/overlayfs.rst).
bool is_overlay_whiteout(const FileState& state) {
  return S_ISCHR(state.mode) && state.device == 0;
}

bool is_changed(const FileState& old_state, const FileState& state) {
  // A folder's times change with its content, which has entries of its own.
  if (S_ISDIR(state.mode)) return old_state.mode != state.mode;
  return old_state != state;
}

// Folders above a changed file, so that their modes are in the layer too.
void add_parents(const std::string& path, const Snapshot& after, oci::LayerWriter& writer) {
  for (std::size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
    const std::string parent = path.substr(0, at);
    if (const auto found = after.find(parent); found != after.end()) {
      writer.add_directory(parent, found->second.mode & 07777);
    }
  }
}

Status add_entry(const std::string& path, const FileState& state, const fs::path& root,
                 oci::LayerWriter& writer) {
  if (is_overlay_whiteout(state)) {
    writer.add_whiteout(path);
  } else if (S_ISDIR(state.mode)) {
    writer.add_directory(path, state.mode & 07777);
  } else if (S_ISREG(state.mode)) {
    writer.add_file(path, root / path, state.mode & 07777);
  } else if (S_ISLNK(state.mode)) {
    std::error_code error;
    const fs::path target = fs::read_symlink(root / path, error);
    if (error) return fail(Code::kInternal, fmt::format("{}: {}", path, error.message()));
    writer.add_symlink(path, target.string());
  }
  return {};  // sockets, pipes and devices are no part of an image
}

}  // namespace

Result<Snapshot> take_snapshot(const fs::path& root, const oci::Checkpoint& checkpoint) {
  Snapshot out;
  std::error_code error;
  auto item = fs::recursive_directory_iterator(root, error);
  for (; !error && item != fs::recursive_directory_iterator(); item.increment(error)) {
    HEARTH_CHECK_OK(oci::pass(checkpoint));
    std::string path = item->path().lexically_relative(root).string();
    HEARTH_CHECK_OK(oci::check_path(path));
    struct stat status{};
    if (::lstat(item->path().c_str(), &status) != 0) {
      return fail(system_error(errno, item->path().string()));
    }
    out.emplace(std::move(path), FileState{.mode = status.st_mode,
                                           .size = static_cast<std::uint64_t>(status.st_size),
                                           .modified_ns = nanoseconds(status.st_mtim),
                                           .changed_ns = nanoseconds(status.st_ctim),
                                           .inode = status.st_ino,
                                           .device = S_ISCHR(status.st_mode) ? status.st_rdev : 0});
  }
  if (error) return fail(Code::kInternal, fmt::format("{}: {}", root.string(), error.message()));
  return out;
}

Status add_difference(const Snapshot& before, const Snapshot& after, const fs::path& root,
                      const oci::Checkpoint& checkpoint, oci::LayerWriter& writer) {
  for (const auto& [path, state] : after) {
    HEARTH_CHECK_OK(oci::pass(checkpoint));
    const auto old_state = before.find(path);
    if (old_state != before.end() && !is_changed(old_state->second, state)) continue;
    add_parents(path, after, writer);
    HEARTH_CHECK_OK(add_entry(path, state, root, writer));
  }
  for (const auto& [path, state] : before) {
    HEARTH_CHECK_OK(oci::pass(checkpoint));
    if (after.contains(path)) continue;
    // One mark for a whole tree: at its top, whose folder is still there.
    const std::string parent = fs::path(path).parent_path().string();
    const auto above = after.find(parent);
    if (parent.empty() || (above != after.end() && S_ISDIR(above->second.mode))) {
      add_parents(path, after, writer);
      writer.add_whiteout(path);
    }
  }
  return {};
}

}  // namespace hearth::builder
