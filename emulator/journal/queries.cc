// The journal's reads.
#include <fmt/format.h>

#include "emulator/journal/codec.h"
#include "emulator/journal/journal.h"
#include "platform/base/text.h"

namespace hearth::journal {
namespace {

constexpr std::int64_t kSearchedMax = 20'000;

// Of a row that begins with seq, received_ms, namespace, broker, id, type, source, subject,
// attributes, headers, data.
EntryPtr entry_of(const sqlite::Statement& row) {
  auto entry = std::make_shared<Entry>();
  entry->received = from_millis(row.integer(1));
  entry->ns = row.text(2);
  entry->broker = row.text(3);
  entry->event.id = row.text(4);
  entry->event.type = row.text(5);
  entry->event.source = row.text(6);
  entry->event.subject = row.text(7);
  unpack_attributes(row.text(8), entry->event);
  entry->headers = unpack(row.text(9));
  entry->event.data = row.text(10);
  return entry;
}

}  // namespace

Result<EntryPtr> Journal::read(Sequence sequence) {
  if (const auto known = recent_.find(sequence); known != recent_.end()) return known->second;
  auto row = reader_.prepare(
      "SELECT seq,received_ms,namespace,broker,id,type,source,subject,attributes,headers,data FROM "
      "events_log WHERE seq=?");
  HEARTH_TRY(found, row.bind(sequence).step());
  return found ? entry_of(row) : nullptr;
}

Result<std::vector<Pending>> Journal::pending(TriggerId trigger, Sequence after,
                                              std::size_t limit) {
  auto row = reader_.prepare(
      "SELECT seq,attempts,not_before_ms FROM events_deliveries WHERE trigger_id=? AND seq>? AND "
      "state=0 ORDER BY seq LIMIT ?");
  row.bind(trigger).bind(after).bind(static_cast<std::int64_t>(limit));
  std::vector<Pending> out;
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return out;
    out.push_back({row.integer(0), static_cast<int>(row.integer(1)), from_millis(row.integer(2))});
  }
}

Result<std::vector<std::pair<TriggerId, Trigger>>> Journal::unfinished_triggers() {
  auto row = reader_.prepare(
      "SELECT id,uid,namespace,name FROM events_triggers t WHERE EXISTS(SELECT 1 FROM "
      "events_deliveries d WHERE d.trigger_id=t.id AND d.state=0) OR EXISTS(SELECT 1 FROM "
      "events_dead_letters l WHERE l.trigger_id=t.id AND l.sink=1)");
  std::vector<std::pair<TriggerId, Trigger>> out;
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return out;
    out.emplace_back(row.integer(0), Trigger{std::string(row.text(1)), std::string(row.text(2)),
                                             std::string(row.text(3))});
  }
}

Result<std::vector<Delivery>> Journal::deliveries_of(Sequence sequence) {
  auto row = reader_.prepare(
      "SELECT t.uid,t.namespace,t.name,d.state,d.attempts,d.not_before_ms,d.updated_ms,d.code,"
      "d.reason FROM events_deliveries d JOIN events_triggers t ON t.id=d.trigger_id WHERE d.seq=? "
      "ORDER BY t.namespace,t.name");
  row.bind(sequence);
  std::vector<Delivery> out;
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return out;
    out.push_back(
        {.trigger = {std::string(row.text(0)), std::string(row.text(1)), std::string(row.text(2))},
         .state = static_cast<DeliveryState>(row.integer(3)),
         .attempts = static_cast<int>(row.integer(4)),
         .not_before = from_millis(row.integer(5)),
         .updated = from_millis(row.integer(6)),
         .code = static_cast<int>(row.integer(7)),
         .reason = std::string(row.text(8))});
  }
}

Result<std::vector<Event>> Journal::list(const EventQuery& query) {
  const bool filtered = !(query.ns + query.type + query.source + query.subject).empty();
  std::vector<Event> out;
  {
    auto row = reader_.prepare(
        "SELECT seq,received_ms,namespace,broker,id,type,source,subject,attributes,headers,data "
        "FROM events_log WHERE seq>? AND (?2='' OR namespace=?2) AND (?3='' OR type=?3) AND "
        "(?4='' OR source=?4) AND (?5='' OR subject=?5) ORDER BY seq DESC LIMIT ?6");
    row.bind(filtered ? last_ - kSearchedMax : 0)
        .bind(query.ns)
        .bind(query.type)
        .bind(query.source)
        .bind(query.subject)
        .bind(static_cast<std::int64_t>(query.limit));
    while (true) {
      HEARTH_TRY(more, row.step());
      if (!more) break;
      out.push_back({row.integer(0), entry_of(row), {}});
    }
  }
  for (Event& event : out) {
    HEARTH_TRY(deliveries, deliveries_of(event.sequence));
    event.deliveries = std::move(deliveries);
  }
  return out;
}

Result<std::optional<Sequence>> Journal::find_event(const std::string& sequence_or_id) {
  if (const auto number = base::parse_int<Sequence>(sequence_or_id)) {
    auto row = reader_.prepare("SELECT seq FROM events_log WHERE seq=?");
    HEARTH_TRY(found, row.bind(*number).step());
    if (found) return row.integer(0);
  }
  auto row = reader_.prepare("SELECT seq FROM events_log WHERE id=? ORDER BY seq DESC LIMIT 1");
  HEARTH_TRY(found, row.bind(sequence_or_id).step());
  if (!found) return std::nullopt;
  return row.integer(0);
}

Result<Event> Journal::show(const std::string& sequence_or_id) {
  const auto none = [&] {
    return fail(Code::kNotFound,
                fmt::format("no event \"{}\"; it may have expired", sequence_or_id));
  };
  HEARTH_TRY(sequence, find_event(sequence_or_id));
  if (!sequence) return none();
  HEARTH_TRY(entry, read(*sequence));
  if (!entry) return none();  // expired between the two
  HEARTH_TRY(deliveries, deliveries_of(*sequence));
  return Event{*sequence, std::move(entry), std::move(deliveries)};
}

}  // namespace hearth::journal
