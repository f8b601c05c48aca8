#include "emulator/builder/tree_path.h"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/base/unique_fd.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

base::UniqueFd open_root(const fs::path& tree) {
  return base::UniqueFd(::open(tree.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

base::UniqueFd open_folder(int root, const std::string& path, std::uint64_t flags,
                           std::uint64_t resolve) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC | flags;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  const char* name = path.empty() ? "." : path.c_str();
  return base::UniqueFd(static_cast<int>(::syscall(SYS_openat2, root, name, &how, sizeof how)));
}

// Below the root, without "." and "..".
fs::path below_root(std::string_view path) {
  return ("/" / fs::path(path).relative_path()).lexically_normal().relative_path();
}

std::string show(const fs::path& path) { return "/" + path.string(); }

}  // namespace

Result<fs::path> make_folder_in(const fs::path& tree, std::string_view path) {
  const base::UniqueFd root = open_root(tree);
  if (!root) return fail(system_error(errno, tree.string()));
  base::UniqueFd folder = open_root(tree);
  fs::path walked;
  for (const fs::path& part : below_root(path)) {
    if (part.empty()) continue;  // behind a trailing '/'
    walked /= part;
    auto next = open_folder(root.get(), walked.string(), 0, RESOLVE_IN_ROOT);
    if (!next && errno == ENOENT && ::mkdirat(folder.get(), part.c_str(), 0755) == 0) {
      next = open_folder(root.get(), walked.string(), 0, RESOLVE_IN_ROOT);
    }
    if (!next) {
      return fail(Code::kPreconditionFailed,
                  fmt::format("the image has {}, which is no folder", show(walked)));
    }
    folder = std::move(next);
  }
  std::error_code error;
  fs::path real = fs::read_symlink(fmt::format("/proc/self/fd/{}", folder.get()), error);
  if (error) return fail(Code::kInternal, fmt::format("{}: {}", show(walked), error.message()));
  return real;
}

bool has_folder_in(const fs::path& tree, std::string_view path) {
  const base::UniqueFd root = open_root(tree);
  if (!root) return false;
  const auto folder =
      open_folder(root.get(), below_root(path).string(), O_NOFOLLOW, RESOLVE_IN_ROOT);
  return folder.get() >= 0;
}

void remove_empty_in(const fs::path& tree, std::string_view path) {
  const fs::path place = below_root(path);
  const base::UniqueFd root = open_root(tree);
  if (!root || place.empty()) return;
  const auto parent = open_folder(root.get(), place.parent_path().string(), 0,
                                  RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
  const std::string name = place.filename().string();
  struct stat status{};
  if (!parent || ::fstatat(parent.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISREG(status.st_mode) && status.st_size > 0) return;
  (void)::unlinkat(parent.get(), name.c_str(), S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0);
}

}  // namespace hearth::builder
