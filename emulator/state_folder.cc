#include "emulator/state_folder.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "emulator/journal/schema.h"
#include "emulator/objectstore/service.h"
#include "emulator/registry/ledger.h"
#include "emulator/store/sqlite_store.h"
#include "platform/base/file.h"
#include "platform/base/hash.h"
#include "platform/base/random_id.h"
#include "platform/base/remove_tree.h"
#include "platform/base/text.h"

namespace hearth::emulator {

namespace {

// A folder that was there already may be open to the machine's other users, or be one of theirs:
// all Secrets and objects are below it. One that holds other things than ours isn't closed unasked.
Status make_own(const std::filesystem::path& path) {
  HEARTH_CHECK_OK(base::make_private_directory(path));
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return fail(system_error(errno, path.string()));
  // Root may be given a user's folder: by sudo, or as a volume of a container.
  if (::geteuid() != 0 && status.st_uid != ::geteuid()) {
    return fail(Code::kForbidden,
                fmt::format("the state folder {} belongs to another user (id {}), who could read "
                            "and replace what is in it; choose another with --state",
                            path.string(), status.st_uid));
  }
  if ((status.st_mode & 077) == 0) return {};
  const auto entries = std::filesystem::directory_iterator(path);
  const bool holds_others = std::any_of(begin(entries), end(entries), [](const auto& entry) {
    return entry.path().filename() != "lost+found";  // of a volume that was just made
  });
  if (holds_others && !std::filesystem::exists(path / "lock")) {
    return fail(Code::kForbidden,
                fmt::format("the state folder {} is open to other users (mode {:04o}) and holds "
                            "other files; `chmod 700 {}`, or choose another with --state",
                            path.string(), status.st_mode & 07777, path.string()));
  }
  if (::chmod(path.c_str(), 0700) != 0) return fail(system_error(errno, path.string()));
  return {};
}

}  // namespace

Result<StateFolder> StateFolder::open(std::filesystem::path path) {
  StateFolder out;
  out.path_ = std::filesystem::absolute(path);
  HEARTH_CHECK_OK(make_own(out.path_));
  const std::string lock_path = out.path_ / "lock";
  out.lock_ = base::UniqueFd(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!out.lock_) return fail(system_error(errno, lock_path));
  if (::flock(out.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    const auto holder = base::read_file(lock_path, 64);
    return fail(
        Code::kConflict,
        fmt::format("the state folder {} is in use by process {}; stop it with `hearth down "
                    "--state {}` or choose another with --state",
                    out.path_.string(), holder ? std::string(base::trim(*holder)) : "?",
                    out.path_.string()));
  }
  (void)!::ftruncate(out.lock_.get(), 0);
  HEARTH_CHECK_OK(base::write_all(out.lock_.get(), fmt::format("{}\n", ::getpid())));
  const char* runtime_dir = ::getenv("XDG_RUNTIME_DIR");
  const std::filesystem::path base_dir =
      runtime_dir != nullptr && *runtime_dir != '\0' ? runtime_dir : "/tmp";
  // One a state folder: a restart after a crash cleans up what its predecessor left.
  out.run_dir_ = base_dir / ("hearth-" + base::sha256_hex(out.path_.string()).substr(0, 12));
  (void)base::remove_tree(out.run_dir_);
  // The name can be foretold and /tmp is everybody's: a folder that somebody else put there must
  // not hold our sockets, so it has to be this very call that makes it.
  if (::mkdir(out.run_dir_.c_str(), 0700) != 0) {
    return fail(
        Code::kForbidden,
        fmt::format("{} can't be made ({}); remove it, or set XDG_RUNTIME_DIR to a folder of "
                    "your own",
                    out.run_dir_.string(), std::strerror(errno)));
  }
  return out;
}

Result<sqlite::Database> StateFolder::open_database() const {
  HEARTH_TRY(database, sqlite::Database::open(this->database(), sqlite::OpenMode::kReadWrite));
  HEARTH_CHECK_OK(sqlite::migrate(database, "store", store::kMigrations));
  HEARTH_CHECK_OK(sqlite::migrate(database, registry::kRoom, registry::kMigrations));
  HEARTH_CHECK_OK(sqlite::migrate(database, objectstore::ObjectStore::kRoom,
                                  objectstore::ObjectStore::kMigrations));
  HEARTH_CHECK_OK(sqlite::migrate(database, journal::kRoom, journal::kMigrations));
  return database;
}

Result<sqlite::Database> StateFolder::open_reader() const {
  return sqlite::Database::open(database(), sqlite::OpenMode::kReadOnly);
}

Result<std::string> StateFolder::token() const {
  const std::filesystem::path file = path_ / "token";
  if (auto known = base::read_file(file, 256)) return std::string(base::trim(*known));
  std::string token = base::random_hex(24);
  HEARTH_CHECK_OK(base::write_file_atomically(file, token + "\n", 0600));
  return token;
}

}  // namespace hearth::emulator
