#include "emulator/journal/journal.h"

#include <algorithm>

#include "emulator/journal/codec.h"
#include "platform/base/failpoint.h"

namespace hearth::journal {
namespace {

constexpr std::int64_t kExpireStep = 2'000;  // events looked at in one step
constexpr std::int64_t kPurgeStep = 5'000;
constexpr std::size_t kEntryOverhead = 512;
constexpr Sequence kSequenceMax = Sequence{1} << 62;  // far from where adding one overflows

std::size_t bytes_of(const Entry& entry) {
  std::size_t bytes = kEntryOverhead + entry.event.data.size();
  for (const auto& extension : entry.event.extensions) bytes += extension.value.size() + 64;
  return bytes;
}

Status insert_event(sqlite::Database& database, Sequence sequence, const Entry& entry) {
  const event::CloudEvent& event = entry.event;
  const std::string attributes = pack_attributes(event);
  const std::string headers = pack(entry.headers);
  return database
      .prepare(
          "INSERT INTO events_log(seq,received_ms,namespace,broker,id,type,source,subject,"
          "attributes,headers,data) VALUES(?,?,?,?,?,?,?,?,?,?,?)")
      .bind(sequence)
      .bind(to_millis(entry.received))
      .bind(entry.ns)
      .bind(entry.broker)
      .bind(event.id)
      .bind(event.type)
      .bind(event.source)
      .bind(event.subject)
      .bind(attributes)
      .bind(headers)
      .bind_blob(event.data)
      .run();
}

Status insert_pending(sqlite::Database& database, Sequence sequence, TriggerId trigger,
                      std::int64_t now_ms) {
  return database
      .prepare(
          "INSERT OR REPLACE INTO events_deliveries(seq,trigger_id,state,attempts,"
          "not_before_ms,updated_ms,code,reason) VALUES(?,?,0,0,0,?,0,'')")
      .bind(sequence)
      .bind(trigger)
      .bind(now_ms)
      .run();
}

Result<std::int64_t> insert_dead_letter(sqlite::Database& database, const Outcome& outcome,
                                        std::int64_t now_ms) {
  auto statement = database.prepare(
      "INSERT INTO events_dead_letters(seq,trigger_id,attempts,code,reason,destination,body,at_ms,"
      "sink) VALUES(?,?,?,?,?,?,?,?,?) RETURNING id");
  HEARTH_TRY(row, statement.bind(outcome.sequence)
                      .bind(outcome.trigger)
                      .bind(outcome.attempts)
                      .bind(outcome.code)
                      .bind(outcome.reason)
                      .bind(outcome.destination)
                      .bind_blob(outcome.body_excerpt)
                      .bind(now_ms)
                      .bind(outcome.has_sink ? 1 : 0)
                      .step());
  return statement.integer(0);
}

// The dead letter's id, or 0. Only a delivery that waits can change.
Result<std::int64_t> apply_outcome(sqlite::Database& database, const Outcome& outcome,
                                   std::int64_t now_ms) {
  HEARTH_CHECK_OK(database
                      .prepare("UPDATE events_deliveries SET state=?,attempts=?,not_before_ms=?,"
                               "updated_ms=?,code=?,reason=? WHERE seq=? AND trigger_id=? AND "
                               "state=0")
                      .bind(static_cast<std::int64_t>(outcome.state))
                      .bind(outcome.attempts)
                      .bind(to_millis(outcome.not_before))
                      .bind(now_ms)
                      .bind(outcome.code)
                      .bind(outcome.reason)
                      .bind(outcome.sequence)
                      .bind(outcome.trigger)
                      .run());
  const bool changed = database.changes() > 0;
  HEARTH_CHECK_OK(base::failpoint("journal.record"));
  if (outcome.state != DeliveryState::kDeadLettered || !changed) return 0;
  return insert_dead_letter(database, outcome, now_ms);
}

// Deletes the events of (from, to] that nothing needs any more; the last one looked at is `to`.
Result<std::int64_t> delete_ended(sqlite::Database& database, Sequence from, Sequence to) {
  auto victims = database.prepare(
      "DELETE FROM events_log AS e WHERE seq>? AND seq<=? AND NOT EXISTS(SELECT 1 FROM "
      "events_deliveries d WHERE d.seq=e.seq AND d.state=0) AND NOT EXISTS(SELECT 1 FROM "
      "events_dead_letters l WHERE l.seq=e.seq)");
  HEARTH_CHECK_OK(victims.bind(from).bind(to).run());
  const std::int64_t deleted = database.changes();
  HEARTH_CHECK_OK(database
                      .prepare("DELETE FROM events_deliveries WHERE seq>? AND seq<=? AND seq NOT "
                               "IN (SELECT seq FROM events_log WHERE seq>? AND seq<=?)")
                      .bind(from)
                      .bind(to)
                      .bind(from)
                      .bind(to)
                      .run());
  return deleted;
}

// Bounded, so that a long backlog does not hold up the writes of others.
Result<std::int64_t> purge_step(sqlite::Database& database, TriggerId trigger,
                                std::int64_t now_ms) {
  HEARTH_CHECK_OK(database
                      .prepare("UPDATE events_deliveries SET state=3,updated_ms=?,reason='trigger "
                               "deleted' WHERE (seq,trigger_id) IN (SELECT seq,trigger_id FROM "
                               "events_deliveries WHERE trigger_id=? AND state=0 LIMIT ?)")
                      .bind(now_ms)
                      .bind(trigger)
                      .bind(kPurgeStep)
                      .run());
  const std::int64_t purged = database.changes();
  HEARTH_CHECK_OK(
      database.prepare("UPDATE events_dead_letters SET sink=3 WHERE trigger_id=? AND sink=1")
          .bind(trigger)
          .run());
  return purged;
}

}  // namespace

std::string_view state_name(DeliveryState state) {
  switch (state) {
    case DeliveryState::kPending:
      return "pending";
    case DeliveryState::kDelivered:
      return "delivered";
    case DeliveryState::kDeadLettered:
      return "dead_lettered";
    case DeliveryState::kPurged:
      return "purged";
  }
  return "";
}

std::string_view sink_state_name(SinkState state) {
  switch (state) {
    case SinkState::kNone:
      return "none";
    case SinkState::kDue:
      return "due";
    case SinkState::kSent:
      return "sent";
    case SinkState::kFailed:
      return "failed";
  }
  return "";
}

Journal::Journal(async::Loop& loop, sqlite::Writer& writer, sqlite::Database reader,
                 const base::Clock& clock, Options options)
    : writer_(writer), reader_(std::move(reader)), clock_(clock), options_(options), tasks_(loop) {}

Journal::~Journal() = default;

Status Journal::load() {
  auto statement = reader_.prepare("SELECT coalesce(max(seq),0) FROM events_log");
  HEARTH_CHECK_OK(statement.step());
  last_ = statement.integer(0);
  if (last_ < 0 || last_ > kSequenceMax) {
    return fail(Code::kCorrupt,
                "the journal's last number is out of range: the state folder is "
                "damaged; restore it from a copy");
  }
  return {};
}

Task<void> Journal::stop() { co_await tasks_.drain(); }

Task<Result<TriggerId>> Journal::intern(Trigger trigger) {
  co_return co_await writer_.write<TriggerId>([trigger = std::move(trigger)](
                                                  sqlite::Database& database) -> Result<TriggerId> {
    HEARTH_CHECK_OK(
        database.prepare("INSERT OR IGNORE INTO events_triggers(uid,namespace,name) VALUES(?,?,?)")
            .bind(trigger.uid)
            .bind(trigger.ns)
            .bind(trigger.name)
            .run());
    auto statement = database.prepare("SELECT id FROM events_triggers WHERE uid=?");
    HEARTH_TRY(found, statement.bind(trigger.uid).step());
    return statement.integer(0);
  });
}

Task<Result<Sequence>> Journal::append(std::vector<NewEvent> events) {
  co_return co_await async::completion<Result<Sequence>>(
      [this, &events](async::Resolve<Result<Sequence>> done) {
        const Sequence first = last_ + 1;
        last_ += static_cast<Sequence>(events.size());
        appending_.push_back({first, std::move(events), std::move(done)});
        if (appends_flushing_) return;
        appends_flushing_ = true;
        tasks_.spawn(flush_appends());
      });
}

Status Journal::insert(sqlite::Database& database, const Appending& item) {
  Sequence sequence = item.first;
  for (const NewEvent& event : item.events) {
    HEARTH_CHECK_OK(insert_event(database, sequence, *event.entry));
    HEARTH_CHECK_OK(base::failpoint("journal.append"));
    for (const TriggerId trigger : event.triggers) {
      HEARTH_CHECK_OK(
          insert_pending(database, sequence, trigger, to_millis(event.entry->received)));
    }
    ++sequence;
  }
  return {};
}

// Writes what has gathered; what comes meanwhile is the next write.
Task<void> Journal::flush_appends() {
  while (!appending_.empty()) {
    const auto batch = std::make_shared<std::vector<Appending>>(std::exchange(appending_, {}));
    const auto written =
        co_await writer_.write<bool>([batch](sqlite::Database& database) -> Result<bool> {
          for (const Appending& item : *batch) HEARTH_CHECK_OK(insert(database, item));
          return true;
        });
    for (Appending& item : *batch) {
      Sequence sequence = item.first;
      for (NewEvent& event : item.events) {
        if (written) remember(sequence++, std::move(event.entry));
      }
      item.done(written ? Result<Sequence>(item.first) : fail(written.error()));
    }
  }
  appends_flushing_ = false;
}

Task<Result<std::int64_t>> Journal::record(Outcome outcome) {
  co_return co_await async::completion<Result<std::int64_t>>(
      [this, &outcome](async::Resolve<Result<std::int64_t>> done) {
        record(std::move(outcome), std::move(done));
      });
}

void Journal::record(Outcome outcome, async::Resolve<Result<std::int64_t>> done) {
  gathered_.push_back({std::move(outcome), std::move(done)});
  if (outcomes_flushing_) return;
  outcomes_flushing_ = true;
  tasks_.spawn(flush_outcomes());
}

// Writes what has gathered; what comes meanwhile is the next write.
Task<void> Journal::flush_outcomes() {
  while (!gathered_.empty()) {
    auto batch = std::exchange(gathered_, {});
    auto outcomes = std::make_shared<std::vector<Outcome>>();
    for (Gathered& item : batch) outcomes->push_back(std::move(item.outcome));
    auto written = co_await writer_.write<std::vector<std::int64_t>>(
        [outcomes, now = to_millis(clock_.wall())](
            sqlite::Database& database) -> Result<std::vector<std::int64_t>> {
          std::vector<std::int64_t> ids;
          for (const Outcome& outcome : *outcomes) {
            HEARTH_TRY(id, apply_outcome(database, outcome, now));
            ids.push_back(id);
          }
          return ids;
        });
    for (std::size_t i = 0; i < batch.size(); ++i) {
      if (written)
        batch[i].done((*written)[i]);
      else
        batch[i].done(fail(written.error()));
    }
  }
  outcomes_flushing_ = false;
}

Task<Result<std::int64_t>> Journal::purge_pending(TriggerId trigger) {
  std::int64_t total = 0;
  while (true) {
    HEARTH_CO_TRY(purged,
                  co_await writer_.write<std::int64_t>(
                      [trigger, now = to_millis(clock_.wall())](sqlite::Database& database) {
                        return purge_step(database, trigger, now);
                      }));
    total += purged;
    if (purged < kPurgeStep) co_return total;
  }
}

void Journal::remember(Sequence sequence, EntryPtr entry) {
  const std::size_t bytes = bytes_of(*entry);
  recent_.emplace(sequence, std::move(entry));
  recent_order_.emplace_back(sequence, bytes);
  recent_bytes_ += bytes;
  while (recent_bytes_ > options_.cache_bytes_max && !recent_order_.empty()) {
    recent_.erase(recent_order_.front().first);
    recent_bytes_ -= recent_order_.front().second;
    recent_order_.pop_front();
  }
}

// Where the step that begins behind `from` ends: kExpireStep events on, or before the first event
// that is too young to go by age and too new to go by number. The newest event always stays: its
// number says where the log ends.
Result<Sequence> Journal::expire_step_end(Sequence from) {
  auto far =
      reader_.prepare("SELECT seq FROM events_log WHERE seq>? ORDER BY seq LIMIT 1 OFFSET ?");
  HEARTH_TRY(more, far.bind(from).bind(kExpireStep - 1).step());
  const Sequence step_end = more ? far.integer(0) : last_;
  const std::int64_t oldest = to_millis(clock_.wall() - options_.age_max);
  auto young = reader_.prepare(
      "SELECT seq FROM events_log WHERE seq>? AND seq<=? AND received_ms>=? ORDER BY seq LIMIT 1");
  HEARTH_TRY(found, young.bind(from).bind(step_end).bind(oldest).step());
  // In a damaged file a row may be found where it doesn't belong.
  const Sequence old_end = found ? std::max(young.integer(0), from + 1) - 1 : step_end;
  const Sequence many_end = last_ - static_cast<Sequence>(options_.events_kept_max);
  return std::min({step_end, std::max(old_end, many_end), last_ - 1});
}

Task<Result<std::int64_t>> Journal::expire() {
  const Sequence from = expired_to_;
  HEARTH_CO_TRY(to, expire_step_end(from));
  if (from >= to) {
    expired_to_ = 0;  // the next step looks again at what was still needed
    co_return 0;
  }
  expired_to_ = to;
  co_return co_await writer_.write<std::int64_t>(
      [from, to](sqlite::Database& database) { return delete_ended(database, from, to); });
}

}  // namespace hearth::journal
