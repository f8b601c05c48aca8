#include "cli/scratch_folder.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/base/random_id.h"
#include "platform/base/remove_tree.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLock = "lock";

bool is_our_folder(const fs::path& path) {
  struct stat info{};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid();
}

// A folder without a lock is just being made, or none of ours.
bool is_abandoned(const fs::path& folder) {
  if (!is_our_folder(folder)) return false;
  const base::UniqueFd lock(::open((folder / kLock).c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC));
  return lock && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0;
}

void remove_abandoned(const fs::path& parent, const std::string& prefix) {
  std::error_code error;
  for (fs::directory_iterator it(parent, error), end; !error && it != end; it.increment(error)) {
    if (!it->path().filename().string().starts_with(prefix)) continue;
    if (is_abandoned(it->path())) (void)base::remove_tree(it->path());
  }
}

// It has its name only once it is held: nobody may find it without its holder.
Result<base::UniqueFd> lock_in(const fs::path& folder) {
  const fs::path made = folder / "lock.new";
  base::UniqueFd lock(::open(made.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0 ||
      ::rename(made.c_str(), (folder / kLock).c_str()) != 0) {
    return fail(system_error(errno, made.string()));
  }
  return lock;
}

}  // namespace

Result<ScratchFolder> ScratchFolder::make(const fs::path& parent, const std::string& prefix) {
  remove_abandoned(parent, prefix);
  const fs::path path = parent / (prefix + base::random_hex(6));
  if (::mkdir(path.c_str(), 0700) != 0) return fail(system_error(errno, path.string()));
  ScratchFolder folder(path);
  HEARTH_TRY(lock, lock_in(path));
  folder.lock_ = std::move(lock);
  return folder;
}

ScratchFolder::~ScratchFolder() {
  if (!path_.empty()) (void)base::remove_tree(path_);
}

}  // namespace hearth::cli
