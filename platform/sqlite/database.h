// SQLite as values of this house: one connection, its statements, and errors as Error.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "platform/base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hearth::sqlite {

enum class OpenMode { kReadWrite, kReadOnly };

class Database;

// A prepared statement in use: bind, step through the rows; reset on destruction, so that the next
// user of the cached statement starts clean. Not across an await.
class Statement {
 public:
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Parameters in order, from 1. Text and blobs must live until the statement is done.
  Statement& bind(std::int64_t value);
  Statement& bind(std::string_view text);
  Statement& bind_blob(std::string_view bytes);
  Statement& bind_null();

  // True: there is a row. False: done.
  Result<bool> step();
  // For statements without rows.
  Status run();

  std::int64_t integer(int column) const;
  std::string_view text(int column) const;  // until the next step
  bool is_null(int column) const;

 private:
  friend class Database;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  // One that did not compile.
  explicit Statement(Error error) : failure_(std::make_unique<Error>(std::move(error))) {}
  sqlite3_stmt* statement_ = nullptr;
  std::unique_ptr<Error> failure_;
  int next_parameter_ = 1;
};

class Database {
 public:
  // WAL, synchronous=FULL (durable when COMMIT returns), foreign keys off, busy time-out 5 s.
  static Result<Database> open(const std::filesystem::path& path, OpenMode mode);
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;

  Status execute(const std::string& sql);
  // Cached by its text for the life of the connection. A statement that does not compile fails in
  // its step(): a damaged file may have lost the tables that it names.
  Statement prepare(std::string_view sql);
  std::int64_t changes() const;
  // Writes the WAL back; what can be done without waiting for readers.
  void checkpoint();

 private:
  struct State;
  explicit Database(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Each room that keeps tables has a schema of its own in the one database file. Step i (from 0)
// brings `room` from version i to i + 1, in one transaction. A newer version than `steps` knows is
// kUnsupported.
Status migrate(Database& database, std::string_view room, std::span<const std::string_view> steps);

}  // namespace hearth::sqlite
