// The journal's dead letters: what was given up, until someone replays or purges it.
#include <fmt/format.h>

#include "emulator/journal/codec.h"
#include "emulator/journal/journal.h"
#include "platform/base/failpoint.h"

namespace hearth::journal {
namespace {

// "l" are dead letters, "t" triggers, "e" events.
constexpr std::string_view kColumns =
    "SELECT l.id,l.seq,l.trigger_id,t.uid,t.namespace,t.name,e.broker,l.attempts,l.code,l.reason,"
    "l.destination,l.body,l.at_ms,l.sink,e.id,e.type,e.source,e.subject FROM events_dead_letters l "
    "JOIN events_triggers t ON t.id=l.trigger_id JOIN events_log e ON e.seq=l.seq ";

DeadLetter dead_letter_of(const sqlite::Statement& row) {
  const auto text = [&row](int column) { return std::string(row.text(column)); };
  return {.id = row.integer(0),
          .sequence = row.integer(1),
          .trigger_id = row.integer(2),
          .trigger = {text(3), text(4), text(5)},
          .broker = text(6),
          .attempts = static_cast<int>(row.integer(7)),
          .code = static_cast<int>(row.integer(8)),
          .reason = text(9),
          .destination = text(10),
          .body_excerpt = text(11),
          .at = from_millis(row.integer(12)),
          .sink = static_cast<SinkState>(row.integer(13)),
          .event_id = text(14),
          .event_type = text(15),
          .event_source = text(16),
          .event_subject = text(17)};
}

Error no_dead_letter(std::int64_t id) {
  return {Code::kNotFound, fmt::format("no dead letter {}", id), {}};
}

// The delivery waits again and its dead letter goes.
Result<Sequence> replay_one(sqlite::Database& database, std::int64_t id, TriggerId trigger,
                            std::int64_t now_ms) {
  Sequence sequence = 0;
  {
    auto row = database.prepare("SELECT seq FROM events_dead_letters WHERE id=?");
    HEARTH_TRY(found, row.bind(id).step());
    if (!found) return fail(no_dead_letter(id));
    sequence = row.integer(0);
  }
  HEARTH_CHECK_OK(database
                      .prepare("INSERT OR REPLACE INTO events_deliveries(seq,trigger_id,state,"
                               "attempts,not_before_ms,updated_ms,code,reason) "
                               "VALUES(?,?,0,0,0,?,0,'replayed')")
                      .bind(sequence)
                      .bind(trigger)
                      .bind(now_ms)
                      .run());
  HEARTH_CHECK_OK(base::failpoint("journal.replay"));
  HEARTH_CHECK_OK(database.prepare("DELETE FROM events_dead_letters WHERE id=?").bind(id).run());
  return sequence;
}

}  // namespace

Result<std::vector<DeadLetter>> Journal::dead_letters(const DeadLetterQuery& query) {
  static const std::string kSql =
      std::string(kColumns) +
      "WHERE l.id>?1 AND (?2='' OR t.namespace=?2) AND (?3='' OR t.name=?3) ORDER BY l.id LIMIT ?4";
  auto row = reader_.prepare(kSql);
  row.bind(query.after)
      .bind(query.ns)
      .bind(query.trigger)
      .bind(static_cast<std::int64_t>(query.limit));
  std::vector<DeadLetter> out;
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return out;
    out.push_back(dead_letter_of(row));
  }
}

Result<DeadLetter> Journal::dead_letter(std::int64_t id) {
  static const std::string kSql = std::string(kColumns) + "WHERE l.id=?";
  auto row = reader_.prepare(kSql);
  HEARTH_TRY(found, row.bind(id).step());
  if (!found) return fail(no_dead_letter(id));
  return dead_letter_of(row);
}

Result<std::vector<std::int64_t>> Journal::due_for_sink(TriggerId trigger) {
  auto row = reader_.prepare(
      "SELECT id FROM events_dead_letters WHERE trigger_id=? AND sink=1 ORDER BY id");
  row.bind(trigger);
  std::vector<std::int64_t> out;
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return out;
    out.push_back(row.integer(0));
  }
}

Task<Status> Journal::record_sink(std::int64_t id, SinkState state) {
  co_return co_await writer_.write<void>([id, state](sqlite::Database& database) -> Status {
    return database.prepare("UPDATE events_dead_letters SET sink=? WHERE id=?")
        .bind(static_cast<std::int64_t>(state))
        .bind(id)
        .run();
  });
}

Task<Result<Sequence>> Journal::replay(std::int64_t id, TriggerId trigger) {
  co_return co_await writer_.write<Sequence>(
      [id, trigger, now = to_millis(clock_.wall())](sqlite::Database& database) {
        return replay_one(database, id, trigger, now);
      });
}

Task<Result<std::int64_t>> Journal::purge_dead_letter(std::int64_t id) {
  co_return co_await writer_.write<std::int64_t>(
      [id](sqlite::Database& database) -> Result<std::int64_t> {
        HEARTH_CHECK_OK(
            database.prepare("DELETE FROM events_dead_letters WHERE id=?").bind(id).run());
        if (database.changes() == 0) return fail(no_dead_letter(id));
        return 1;
      });
}

Task<Result<std::int64_t>> Journal::purge_dead_letters(std::string ns, std::string trigger) {
  co_return co_await writer_.write<std::int64_t>(
      [ns = std::move(ns),
       trigger = std::move(trigger)](sqlite::Database& database) -> Result<std::int64_t> {
        HEARTH_CHECK_OK(database
                            .prepare("DELETE FROM events_dead_letters WHERE trigger_id IN (SELECT "
                                     "id FROM events_triggers WHERE (?1='' OR namespace=?1) AND "
                                     "(?2='' OR name=?2))")
                            .bind(ns)
                            .bind(trigger)
                            .run());
        return database.changes();
      });
}

Task<Result<std::int64_t>> Journal::trim_dead_letters(std::size_t count) {
  co_return co_await writer_.write<std::int64_t>(
      [count =
           static_cast<std::int64_t>(count)](sqlite::Database& database) -> Result<std::int64_t> {
        HEARTH_CHECK_OK(database
                            .prepare("DELETE FROM events_dead_letters WHERE id<=(SELECT id FROM "
                                     "events_dead_letters ORDER BY id DESC LIMIT 1 OFFSET ?)")
                            .bind(count)
                            .run());
        return database.changes();
      });
}

}  // namespace hearth::journal
