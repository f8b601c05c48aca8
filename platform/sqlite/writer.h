// The one writer of a database: a thread that gathers what waits, applies it in one transaction and
// flushes once for all (group commit). An answer goes out after the flush that covers it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "platform/async/completion.h"
#include "platform/async/task.h"
#include "platform/sqlite/database.h"

namespace hearth::sqlite {

struct WriterCounts {
  std::uint64_t writes = 0;   // works that were applied
  std::uint64_t commits = 0;  // transactions, each with one flush
};

class Writer {
 public:
  // Takes over a database that is open for writing.
  explicit Writer(Database database);
  // Commits what waits, then ends the thread.
  ~Writer();
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // `observer` runs on the writer's thread after each batch (with the commit's outcome), before the
  // answers go out. Register before the first write.
  void observe_batches(std::function<void(const Status&)> observer);
  // Since the start. Thread-safe.
  WriterCounts counts() const;

  // Applies `work` (called with the database, on the writer's thread, within a savepoint) and
  // returns its result once it is durable. A work that fails is rolled back alone. If the commit
  // fails, every work of the batch fails with that error. Full queue: kUnavailable.
  template <typename T>
  Task<Result<T>> write(std::move_only_function<Result<T>(Database&)> work) {
    co_return co_await async::completion<Result<T>>([this, &work](async::Resolve<Result<T>> done) {
      // The value waits here between the work and the commit.
      auto kept = std::make_shared<Result<T>>(fail(Code::kInternal, "not run"));
      enqueue({.apply =
                   [work = std::move(work), kept](Database& database) mutable {
                     *kept = work(database);
                     return kept->has_value();
                   },
               .finish =
                   [kept, done = std::move(done)](const Status& committed) mutable {
                     if (!committed && kept->has_value()) *kept = fail(committed.error());
                     done(std::move(*kept));
                   }});
    });
  }

 private:
  struct Work {
    std::move_only_function<bool(Database&)> apply;  // false: roll back to the savepoint
    std::move_only_function<void(const Status&)> finish;
  };
  void enqueue(Work work);
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::sqlite
