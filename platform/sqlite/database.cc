#include "platform/sqlite/database.h"

#include <unordered_map>

#include <fmt/format.h>
#include <sqlite3.h>

#include "platform/base/failpoint.h"
#include "platform/sqlite/failing_files.h"

namespace hearth::sqlite {
namespace {

constexpr std::size_t kLiteralsMax = 1024;  // texts that are made anew have ever new addresses

Error database_error(sqlite3* db, std::string_view what) {
  const int code = sqlite3_extended_errcode(db);
  Error error{Code::kInternal, fmt::format("{}: {}", what, sqlite3_errmsg(db)), {}};
  const int primary = code & 0xff;
  // A full disk shows as FULL, or as an I/O error of the write or the flush.
  const bool io_full = primary == SQLITE_IOERR && sqlite3_system_errno(db) == ENOSPC;
  if (primary == SQLITE_FULL || io_full) error.code = Code::kStorageFull;
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) error.code = Code::kCorrupt;
  if (primary == SQLITE_CONSTRAINT) error.code = Code::kAlreadyExists;
  return error;
}

}  // namespace

struct Database::State {
  sqlite3* db = nullptr;
  // By text; and by the address of the text, which is a literal nearly always: hashing 200
  // characters for each statement costs as much as running it.
  std::unordered_map<std::string, sqlite3_stmt*> statements;
  struct Literal {
    std::string_view text;  // of `statements`
    sqlite3_stmt* statement = nullptr;
  };
  std::unordered_map<const char*, Literal> literals;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    for (const auto& [sql, statement] : statements) sqlite3_finalize(statement);
    sqlite3_close(db);
  }
};

Statement::Statement(Statement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)),
      failure_(std::move(other.failure_)),
      next_parameter_(other.next_parameter_) {}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

Statement& Statement::bind(std::int64_t value) {
  sqlite3_bind_int64(statement_, next_parameter_++, value);
  return *this;
}
Statement& Statement::bind(std::string_view text) {
  sqlite3_bind_text64(statement_, next_parameter_++, text.data() != nullptr ? text.data() : "",
                      text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}
Statement& Statement::bind_blob(std::string_view bytes) {
  sqlite3_bind_blob64(statement_, next_parameter_++, bytes.data() != nullptr ? bytes.data() : "",
                      bytes.size(), SQLITE_STATIC);
  return *this;
}
Statement& Statement::bind_null() {
  sqlite3_bind_null(statement_, next_parameter_++);
  return *this;
}

Result<bool> Statement::step() {
  if (failure_) return fail(*failure_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return fail(database_error(sqlite3_db_handle(statement_), "database"));
}

Status Statement::run() {
  HEARTH_TRY(row, step());
  return {};
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return bytes == nullptr ? std::string_view()
                          : std::string_view(bytes, static_cast<std::size_t>(size));
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}
Database::~Database() = default;
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;

Result<Database> Database::open(const std::filesystem::path& path, OpenMode mode) {
  if constexpr (base::kHasFailpoints) install_failing_files();
  auto state = std::make_unique<State>();
  const int flags = mode == OpenMode::kReadOnly ? SQLITE_OPEN_READONLY
                                                : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &state->db, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) {
    return fail(database_error(state->db, fmt::format("opening {}", path.string())));
  }
  sqlite3_extended_result_codes(state->db, 1);
  sqlite3_busy_timeout(state->db, 5000);
  Database database(std::move(state));
  if (mode == OpenMode::kReadWrite) {
    // Checkpoints run when the writer is idle (measured: inside a commit they cost 11-17 ms); the
    // limit is only a brake for a writer that never idles.
    HEARTH_CHECK_OK(database.execute(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=8000;"
        "PRAGMA journal_size_limit=67108864"));
  }
  HEARTH_CHECK_OK(database.execute("PRAGMA cache_size=-2000; PRAGMA temp_store=MEMORY"));
  return database;
}

Status Database::execute(const std::string& sql) {
  if (sqlite3_exec(state_->db, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return fail(database_error(state_->db, "database"));
  }
  return {};
}

Statement Database::prepare(std::string_view sql) {
  const auto literal = state_->literals.find(sql.data());
  if (literal != state_->literals.end() && literal->second.text == sql) {
    return Statement(literal->second.statement);
  }
  auto it = state_->statements.find(std::string(sql));
  if (it == state_->statements.end()) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v3(state_->db, sql.data(), static_cast<int>(sql.size()),
                           SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
      return Statement(database_error(state_->db, fmt::format("database: \"{}\"", sql)));
    }
    it = state_->statements.emplace(sql, statement).first;
  }
  if (state_->literals.size() < kLiteralsMax)
    state_->literals[sql.data()] = {it->first, it->second};
  return Statement(it->second);
}

std::int64_t Database::changes() const { return sqlite3_changes64(state_->db); }

void Database::checkpoint() {
  sqlite3_wal_checkpoint_v2(state_->db, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

namespace {

Result<std::int64_t> schema_version(Database& database, std::string_view room) {
  HEARTH_CHECK_OK(
      database.execute("CREATE TABLE IF NOT EXISTS schema_versions(room TEXT PRIMARY KEY, version "
                       "INTEGER NOT NULL)"));
  auto statement = database.prepare("SELECT version FROM schema_versions WHERE room=?");
  HEARTH_TRY(found, statement.bind(room).step());
  return found ? statement.integer(0) : 0;
}

Status apply_steps(Database& database, std::string_view room,
                   std::span<const std::string_view> steps, std::size_t from) {
  for (std::size_t i = from; i < steps.size(); ++i) {
    HEARTH_CHECK_OK(database.execute(std::string(steps[i])));
  }
  return database.prepare("INSERT OR REPLACE INTO schema_versions(room,version) VALUES(?,?)")
      .bind(room)
      .bind(static_cast<std::int64_t>(steps.size()))
      .run();
}

}  // namespace

Status migrate(Database& database, std::string_view room, std::span<const std::string_view> steps) {
  HEARTH_TRY(version, schema_version(database, room));
  const auto known = static_cast<std::int64_t>(steps.size());
  if (version == known) return {};
  if (version > known) {
    return fail(
        Code::kUnsupported,
        fmt::format("the state's \"{}\" schema has version {}, this program knows up to {}; "
                    "use a newer hearth or another state folder",
                    room, version, known));
  }
  HEARTH_CHECK_OK(database.execute("BEGIN IMMEDIATE"));
  Status migrated = apply_steps(database, room, steps, static_cast<std::size_t>(version));
  if (migrated) migrated = database.execute("COMMIT");
  // What failed first is what the caller hears; closing the database rolls back as well.
  if (!migrated) (void)database.execute("ROLLBACK");
  return migrated;
}

}  // namespace hearth::sqlite
