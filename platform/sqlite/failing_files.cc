#include "platform/sqlite/failing_files.h"

#include <mutex>

#include <sqlite3.h>

#include "platform/base/failpoint.h"

namespace hearth::sqlite {
namespace {

// What one kind of file does: the system's functions, and the same with two of them replaced.
struct Kind {
  void adopt(sqlite3_file* file);
  const sqlite3_io_methods* system = nullptr;
  sqlite3_io_methods failing{};
  std::once_flag copied;
};

Kind g_log;
Kind g_database;
sqlite3_vfs* g_system = nullptr;
sqlite3_vfs g_failing;

int write(const Kind& kind, base::Failpoint point, sqlite3_file* file, const void* data, int size,
          sqlite3_int64 at) {
  const auto tear = [&] { (void)kind.system->xWrite(file, data, size / 2, at); };
  if (!base::failpoint(point, tear)) return SQLITE_IOERR_WRITE;
  return kind.system->xWrite(file, data, size, at);
}

int flush(const Kind& kind, base::Failpoint point, sqlite3_file* file, int flags) {
  if (!base::failpoint(point)) return SQLITE_IOERR_FSYNC;
  return kind.system->xSync(file, flags);
}

int write_log(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  return write(g_log, "sqlite.wal_write", file, data, size, at);
}
int flush_log(sqlite3_file* file, int flags) {
  return flush(g_log, "sqlite.wal_flush", file, flags);
}
int write_database(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  return write(g_database, "sqlite.database_write", file, data, size, at);
}
int flush_database(sqlite3_file* file, int flags) {
  return flush(g_database, "sqlite.database_flush", file, flags);
}

// The file stays the system's: only two entries of its table of functions are others.
void Kind::adopt(sqlite3_file* file) {
  std::call_once(copied, [&] {
    system = file->pMethods;
    failing = *system;
    failing.xWrite = this == &g_log ? write_log : write_database;
    failing.xSync = this == &g_log ? flush_log : flush_database;
  });
  if (file->pMethods == system) file->pMethods = &failing;
}

int open_file(sqlite3_vfs* files, const char* name, sqlite3_file* file, int flags, int* flags_out) {
  const int code = g_system->xOpen(files, name, file, flags, flags_out);
  if (code != SQLITE_OK) return code;
  if ((flags & SQLITE_OPEN_WAL) != 0) g_log.adopt(file);
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) g_database.adopt(file);
  return code;
}

}  // namespace

void install_failing_files() {
  static std::once_flag installed;
  std::call_once(installed, [] {
    g_system = sqlite3_vfs_find(nullptr);
    g_failing = *g_system;
    g_failing.zName = "hearth-failing";
    g_failing.pNext = nullptr;
    g_failing.xOpen = open_file;
    sqlite3_vfs_register(&g_failing, 1);
  });
}

}  // namespace hearth::sqlite
