// SQLite's own writes and flushes as failpoints (platform/base/failpoint.h): of the write-ahead log
// (sqlite.wal_*) and of the database behind it (sqlite.database_*, at a checkpoint).
#pragma once

namespace hearth::sqlite {

// For all connections of the process that are opened from now on. Any thread.
void install_failing_files();

}  // namespace hearth::sqlite
