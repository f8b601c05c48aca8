#include "platform/base/remove_tree.h"

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/base/random_id.h"
#include "platform/base/unique_fd.h"

namespace hearth::base {
namespace {

// So many levels are gone down with a descriptor each. A folder that lies deeper is moved up into
// the top folder, to be removed from there: hardly any tree has one.
constexpr int kLevelsMax = 16;
// How often a folder is looked through again because something was put in meanwhile.
constexpr int kRoundsMax = 4;

struct Closer {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, Closer>;

bool is_self_or_parent(std::string_view name) { return name == "." || name == ".."; }

bool is_folder(int parent, const char* name) {
  struct stat info{};
  return ::fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

// Not by the path: a link that took the folder's place would be followed.
void allow_owner(int parent, const char* name) {
  (void)::fchmodat(parent, name, S_IRWXU, AT_SYMLINK_NOFOLLOW);
}

Directory open_folder(int parent, const char* name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  UniqueFd fd(::openat(parent, name, kFlags));
  if (!fd && errno == EACCES) {
    allow_owner(parent, name);
    fd = UniqueFd(::openat(parent, name, kFlags));
  }
  if (!fd) return nullptr;
  // To take something out of it takes more than reading.
  struct stat info{};
  if (::fstat(fd.get(), &info) == 0 && (info.st_mode & S_IRWXU) != S_IRWXU) {
    (void)::fchmod(fd.get(), (info.st_mode & 07777) | S_IRWXU);
  }
  Directory directory(::fdopendir(fd.get()));
  if (directory) (void)fd.release();
  return directory;
}

class Removal {
 public:
  explicit Removal(const std::filesystem::path& path) : path_(path) {}

  Status run() {
    remove(AT_FDCWD, path_.c_str(), 0);
    if (!failure_) return {};
    return fail(std::move(*failure_));
  }

 private:
  void note_failure(int number, std::string_view name) {
    if (failure_) return;
    const std::string at = name == path_.native() ? "" : fmt::format(" (at {})", name);
    failure_ = system_error(number, fmt::format("removing {}{}", path_.string(), at));
  }

  void remove(int parent, const char* name, int level) {
    if (::unlinkat(parent, name, 0) == 0 || errno == ENOENT) return;
    const int refused = errno;
    if (!is_folder(parent, name)) return note_failure(refused, name);
    if (level >= kLevelsMax) return move_up(parent, name);
    remove_folder(parent, name, level);
  }

  // Again only while nothing failed: else the rounds of all levels would multiply.
  void remove_folder(int parent, const char* name, int level) {
    for (int round = 1;; ++round) {
      // Closed before it goes: the end of what is still open is more work for the file system.
      if (Directory folder = open_folder(parent, name); !folder) {
        if (errno != ENOENT) note_failure(errno, name);
        return;
      } else if (level == 0) {
        empty_top(folder.get());
      } else {
        empty(folder.get(), level);
      }
      if (::unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return;
      const bool refilled = errno == ENOTEMPTY || errno == EEXIST;
      if (!refilled || failure_ || round == kRoundsMax) return note_failure(errno, name);
    }
  }

  void empty(DIR* folder, int level) {
    const int fd = ::dirfd(folder);
    errno = 0;
    while (const dirent* entry = ::readdir(folder)) {
      const std::string_view name = entry->d_name;
      const bool is_own = level == 0 && name.starts_with(moved_prefix_);
      if (!is_own && !is_self_or_parent(name)) remove(fd, entry->d_name, level + 1);
      errno = 0;
    }
    if (errno != 0) note_failure(errno, path_.native());
  }

  // Also what was moved up, which may have more to move up itself. Each folder moves only once in
  // kLevelsMax levels, and a number is all that is remembered of those to come.
  void empty_top(DIR* folder) {
    top_ = ::dirfd(folder);
    moved_prefix_ = fmt::format(".removed-{}-", random_hex(8));
    moved_ = 0;
    empty(folder, 0);
    for (std::uint64_t i = 0; i < moved_; ++i) remove_folder(top_, moved_name(i).c_str(), 1);
  }

  std::string moved_name(std::uint64_t number) const {
    return fmt::format("{}{}", moved_prefix_, number);
  }

  void move_up(int parent, const char* name) {
    const std::string target = moved_name(moved_);
    int moved = ::renameat(parent, name, top_, target.c_str());
    if (moved != 0 && errno == EACCES) {
      // A folder that changes its parent is written to itself.
      allow_owner(parent, name);
      moved = ::renameat(parent, name, top_, target.c_str());
    }
    if (moved == 0)
      ++moved_;
    else if (errno != ENOENT)
      note_failure(errno, name);
  }

  const std::filesystem::path& path_;
  int top_ = -1;
  std::string moved_prefix_;
  std::uint64_t moved_ = 0;
  std::optional<Error> failure_;
};

}  // namespace

Status remove_tree(const std::filesystem::path& path) {
  // With a slash at its end a link would be followed.
  if (!path.has_filename() && path.has_relative_path()) return remove_tree(path.parent_path());
  return Removal(path).run();
}

}  // namespace hearth::base
