// The durable log of events and the state of their deliveries, in SQLite with group commit.
//
// Lives on one loop. Writes run on the shared writer thread and answer after the flush that covers
// them, in the order in which they were asked for; reads use a connection of their own on the loop.
// A failed write leaves nothing behind: kStorageFull, kUnavailable (queue full), kInternal.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "emulator/journal/record.h"
#include "emulator/journal/schema.h"
#include "platform/async/completion.h"
#include "platform/async/task.h"
#include "platform/async/task_group.h"
#include "platform/base/result.h"
#include "platform/sqlite/writer.h"

namespace hearth::journal {

struct Options {
  // An event whose deliveries have all ended and that no dead letter holds goes when it is older
  // than either bound.
  std::size_t events_kept_max = 100'000;
  std::chrono::hours age_max{24 * 7};
  // Bytes of recent events kept in memory, so that a delivery that is due at once reads nothing.
  std::size_t cache_bytes_max = 8UL * 1024 * 1024;
};

struct EventQuery {
  std::string ns;  // empty fields match all
  std::string type;
  std::string source;
  std::string subject;
  std::size_t limit = 100;
};

struct DeadLetterQuery {
  std::string ns;
  std::string trigger;  // name
  std::size_t limit = 1000;
  std::int64_t after = 0;  // ids behind this one
};

struct NewEvent {
  EntryPtr entry;
  std::vector<TriggerId> triggers;
};

class Journal {
 public:
  // `reader` is open for reading the database of `writer`, which has the tables of schema.h.
  // All references outlive the journal.
  Journal(async::Loop& loop, sqlite::Writer& writer, sqlite::Database reader,
          const base::Clock& clock, Options options);
  ~Journal();

  // Finds where the log ends. Once, before anything else.
  Status load();
  // Waits for the outcomes that are on their way.
  Task<void> stop();

  // Numbers `trigger` (the same number for the same uid).
  Task<Result<TriggerId>> intern(Trigger trigger);
  // Durable, all or none, each event together with one pending delivery a trigger; the number of
  // the first, the others follow it. What comes close together shares one write and so one fate.
  Task<Result<Sequence>> append(std::vector<NewEvent> events);
  // Durable; outcomes that come close together share one write. The result is the new dead
  // letter's id (0 for other states). An outcome of a delivery that has ended changes nothing.
  Task<Result<std::int64_t>> record(Outcome outcome);
  // The same for who doesn't wait: `done` is called on the loop, later.
  void record(Outcome outcome, async::Resolve<Result<std::int64_t>> done);
  // Ends all pending deliveries of a trigger that is gone; the number of them.
  Task<Result<std::int64_t>> purge_pending(TriggerId trigger);

  // Null when the event is gone.
  Result<EntryPtr> read(Sequence sequence);
  // In order, from behind `after`.
  Result<std::vector<Pending>> pending(TriggerId trigger, Sequence after, std::size_t limit);
  // Triggers that have pending deliveries or dead letters due.
  Result<std::vector<std::pair<TriggerId, Trigger>>> unfinished_triggers();

  // Newest first. With a filter only the newest 20,000 events are searched.
  Result<std::vector<Event>> list(const EventQuery& query);
  // By sequence number or, failing that, by event id (the newest). kNotFound.
  Result<Event> show(const std::string& sequence_or_id);

  Result<std::vector<DeadLetter>> dead_letters(const DeadLetterQuery& query);  // oldest first
  Result<DeadLetter> dead_letter(std::int64_t id);                             // kNotFound
  Result<std::vector<std::int64_t>> due_for_sink(TriggerId trigger);
  Task<Status> record_sink(std::int64_t id, SinkState state);
  // The delivery waits again, for `trigger` (the old one, or its successor of the same name); the
  // dead letter is gone. Returns the event.
  Task<Result<Sequence>> replay(std::int64_t id, TriggerId trigger);
  // Of one id, or of all that match; the number of them.
  Task<Result<std::int64_t>> purge_dead_letter(std::int64_t id);
  Task<Result<std::int64_t>> purge_dead_letters(std::string ns, std::string trigger);
  // Drops the oldest beyond `count`; the number dropped.
  Task<Result<std::int64_t>> trim_dead_letters(std::size_t count);

  // One bounded step of retention; the number of events deleted. Call it every few seconds.
  Task<Result<std::int64_t>> expire();

 private:
  struct Gathered {
    Outcome outcome;
    async::Resolve<Result<std::int64_t>> done;
  };
  struct Appending {
    Sequence first;
    std::vector<NewEvent> events;
    async::Resolve<Result<Sequence>> done;
  };
  static Status insert(sqlite::Database& database, const Appending& item);
  Task<void> flush_appends();
  Task<void> flush_outcomes();
  Result<Sequence> expire_step_end(Sequence from);
  void remember(Sequence sequence, EntryPtr entry);
  Result<std::vector<Delivery>> deliveries_of(Sequence sequence);
  Result<std::optional<Sequence>> find_event(const std::string& sequence_or_id);

  sqlite::Writer& writer_;
  sqlite::Database reader_;
  const base::Clock& clock_;
  const Options options_;
  async::TaskGroup tasks_;
  Sequence last_ = 0;
  Sequence expired_to_ = 0;  // where the next retention step begins
  std::vector<Appending> appending_;
  bool appends_flushing_ = false;
  std::vector<Gathered> gathered_;
  bool outcomes_flushing_ = false;
  std::unordered_map<Sequence, EntryPtr> recent_;
  std::deque<std::pair<Sequence, std::size_t>> recent_order_;
  std::size_t recent_bytes_ = 0;
};

}  // namespace hearth::journal
