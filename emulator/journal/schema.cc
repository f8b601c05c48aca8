#include "emulator/journal/schema.h"

namespace hearth::journal {
namespace {

// events_deliveries is clustered by event, so that an event's deliveries are written and read
// together; the partial index is the list of what waits, a trigger at a time.
constexpr std::string_view kSteps[] = {R"sql(
CREATE TABLE events_log(
  seq INTEGER PRIMARY KEY,
  received_ms INTEGER NOT NULL,
  namespace TEXT NOT NULL,
  broker TEXT NOT NULL,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  source TEXT NOT NULL,
  subject TEXT NOT NULL,
  attributes TEXT NOT NULL,
  headers TEXT NOT NULL,
  data BLOB NOT NULL);
CREATE INDEX events_log_id ON events_log(id);
CREATE TABLE events_triggers(
  id INTEGER PRIMARY KEY,
  uid TEXT NOT NULL UNIQUE,
  namespace TEXT NOT NULL,
  name TEXT NOT NULL);
CREATE TABLE events_deliveries(
  seq INTEGER NOT NULL,
  trigger_id INTEGER NOT NULL,
  state INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  not_before_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  code INTEGER NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY(seq, trigger_id)) WITHOUT ROWID;
CREATE INDEX events_pending ON events_deliveries(trigger_id, seq) WHERE state=0;
CREATE TABLE events_dead_letters(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  seq INTEGER NOT NULL,
  trigger_id INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  code INTEGER NOT NULL,
  reason TEXT NOT NULL,
  destination TEXT NOT NULL,
  body BLOB NOT NULL,
  at_ms INTEGER NOT NULL,
  sink INTEGER NOT NULL);
CREATE INDEX events_dead_letters_seq ON events_dead_letters(seq);
CREATE INDEX events_dead_letters_due ON events_dead_letters(trigger_id, id) WHERE sink=1;
)sql"};

}  // namespace

const std::span<const std::string_view> kMigrations = kSteps;

}  // namespace hearth::journal
