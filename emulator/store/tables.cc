#include "emulator/store/tables.h"

#include <algorithm>

#include <fmt/format.h>

#include "emulator/store/parsed_objects.h"
#include "emulator/store/sqlite_store.h"
#include "platform/base/limits.h"
#include "platform/telemetry/log.h"

namespace hearth::store {

namespace {

constexpr telemetry::Log kLog("store");

constexpr std::string_view kSteps[] = {
    R"sql(
CREATE TABLE objects(
  grp TEXT NOT NULL, plural TEXT NOT NULL, ns TEXT NOT NULL, name TEXT NOT NULL,
  uid TEXT NOT NULL, rv INTEGER NOT NULL, data TEXT NOT NULL,
  PRIMARY KEY(grp, plural, ns, name)) WITHOUT ROWID;
CREATE UNIQUE INDEX objects_uid ON objects(uid);
CREATE INDEX objects_ns ON objects(ns);
CREATE TABLE owners(
  owner_uid TEXT NOT NULL, uid TEXT NOT NULL, grp TEXT NOT NULL, plural TEXT NOT NULL,
  ns TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY(owner_uid, uid)) WITHOUT ROWID;
CREATE INDEX owners_uid ON owners(uid);
CREATE TABLE watch_log(
  rv INTEGER PRIMARY KEY, grp TEXT NOT NULL, plural TEXT NOT NULL, type INTEGER NOT NULL,
  data TEXT NOT NULL);
CREATE INDEX watch_log_kind ON watch_log(grp, plural, rv);
)sql",
    // The log holds what was before each change; what is after it stands in the next change of the
    // same object, or in its row. The row that begins it makes older versions history.
    R"sql(
CREATE TABLE changes(
  rv INTEGER PRIMARY KEY, grp TEXT NOT NULL, plural TEXT NOT NULL, ns TEXT NOT NULL,
  name TEXT NOT NULL, type INTEGER NOT NULL, previous TEXT);
CREATE INDEX changes_kind ON changes(grp, plural, rv);
INSERT INTO changes SELECT newest+1, '', '', '', '', 0, NULL
  FROM (SELECT max(rv) AS newest FROM watch_log) WHERE newest IS NOT NULL;
DROP TABLE watch_log;
)sql"};

Result<resource::ObjectPtr> parse_row(const RowKey& row, std::string_view text) {
  auto json = base::parse_json(text, limits::kObjectDepthMax);
  const Json* metadata = json ? base::find(*json, {"metadata"}) : nullptr;
  if (metadata != nullptr && metadata->is_object()) {
    return std::make_shared<const Json>(std::move(*json));
  }
  return fail(
      Code::kCorrupt,
      fmt::format("what is stored as {} \"{}\"{} can't be read and only be deleted: {}",
                  row.group.empty() ? row.plural : row.plural + "." + row.group, row.key.name,
                  row.key.ns.empty() ? "" : fmt::format(" in namespace \"{}\"", row.key.ns),
                  json ? "it is no object with metadata" : json.error().message));
}

// Null for what can't be read: it must not hide the rows beside it.
resource::ObjectPtr parse_if_readable(const RowKey& row, std::string_view text) {
  auto object = parse_row(row, text);
  if (object) return std::move(*object);
  kLog.error("object_unreadable", {{"error", object.error().message}});
  return nullptr;
}

// The first four parameters are the row's key.
sqlite::Statement for_row(sqlite::Database& database, std::string_view sql, const RowKey& row) {
  sqlite::Statement statement = database.prepare(sql);
  statement.bind(row.group).bind(row.plural).bind(row.key.ns).bind(row.key.name);
  return statement;
}

RowKey row_key(const sqlite::Statement& row) {
  return {std::string(row.text(0)),
          std::string(row.text(1)),
          {std::string(row.text(2)), std::string(row.text(3))}};
}

Result<std::vector<RowKey>> read_keys(sqlite::Statement statement) {
  std::vector<RowKey> out;
  while (true) {
    HEARTH_TRY(more, statement.step());
    if (!more) return out;
    out.push_back(row_key(statement));
  }
}

}  // namespace

const std::span<const std::string_view> kMigrations = kSteps;

Result<resource::ObjectPtr> read_object(sqlite::Database& database, const RowKey& row) {
  auto statement = for_row(
      database, "SELECT data FROM objects WHERE grp=? AND plural=? AND ns=? AND name=?", row);
  HEARTH_TRY(found, statement.step());
  if (!found) return resource::ObjectPtr();
  return parse_row(row, statement.text(0));
}

Result<resource::ObjectPtr> read_object(sqlite::Database& database, const RowKey& row,
                                        ParsedObjects& parsed) {
  if (auto known = parsed.find(row)) return known;
  auto statement = for_row(
      database, "SELECT rv,data FROM objects WHERE grp=? AND plural=? AND ns=? AND name=?", row);
  HEARTH_TRY(found, statement.step());
  if (!found) return resource::ObjectPtr();
  HEARTH_TRY(object, parse_row(row, statement.text(1)));
  parsed.put(row, static_cast<std::uint64_t>(statement.integer(0)), object);
  return object;
}

Result<Json> read_row_metadata(sqlite::Database& database, const RowKey& row) {
  auto statement = for_row(
      database, "SELECT uid,rv FROM objects WHERE grp=? AND plural=? AND ns=? AND name=?", row);
  HEARTH_TRY(found, statement.step());
  if (!found) return Json();
  return Json{{"metadata",
               {{"uid", std::string(statement.text(0))},
                {"resourceVersion", std::to_string(statement.integer(1))}}}};
}

Result<bool> uid_exists(sqlite::Database& database, const std::string& uid) {
  auto statement = database.prepare("SELECT 1 FROM objects WHERE uid=?");
  statement.bind(uid);
  return statement.step();
}

Result<std::vector<RowKey>> read_dependents(sqlite::Database& database, const std::string& uid) {
  auto statement = database.prepare("SELECT grp,plural,ns,name FROM owners WHERE owner_uid=?");
  statement.bind(uid);
  return read_keys(std::move(statement));
}

Result<std::vector<RowKey>> read_collection(sqlite::Database& database, const std::string& group,
                                            const std::string& plural) {
  auto statement =
      database.prepare("SELECT grp,plural,ns,name FROM objects WHERE grp=? AND plural=?");
  statement.bind(group).bind(plural);
  return read_keys(std::move(statement));
}

Result<std::vector<RowKey>> read_namespace_contents(sqlite::Database& database,
                                                    const std::string& ns) {
  auto statement = database.prepare("SELECT grp,plural,ns,name FROM objects WHERE ns=?");
  statement.bind(ns);
  return read_keys(std::move(statement));
}

Status scan(sqlite::Database& database, const std::string& group, const std::string& plural,
            const std::string& ns, const resource::ObjectKey& after,
            const std::function<bool(resource::ObjectPtr)>& visit) {
  auto statement = database.prepare(
      ns.empty() ? "SELECT data,ns,name FROM objects WHERE grp=? AND plural=? AND (ns,name)>(?,?) "
                   "ORDER BY ns,name"
                 : "SELECT data,ns,name FROM objects WHERE grp=? AND plural=? AND ns=? AND name>? "
                   "ORDER BY name");
  statement.bind(group).bind(plural).bind(ns.empty() ? after.ns : ns).bind(after.name);
  while (true) {
    HEARTH_TRY(more, statement.step());
    if (!more) return {};
    auto object = parse_if_readable(
        {group, plural, {std::string(statement.text(1)), std::string(statement.text(2))}},
        statement.text(0));
    if (object && !visit(std::move(object))) return {};
  }
}

Status write_object(sqlite::Database& database, const RowKey& row, const Json& object,
                    std::uint64_t version) {
  const std::string uid = resource::uid_of(object);
  const std::string data = base::dump_json(object);
  // The owners of the object that stands there: when that couldn't be read it had another uid.
  HEARTH_CHECK_OK(for_row(database,
                          "DELETE FROM owners WHERE uid=(SELECT uid FROM objects WHERE grp=? AND "
                          "plural=? AND ns=? AND name=?)",
                          row)
                      .run());
  HEARTH_CHECK_OK(for_row(database,
                          "INSERT OR REPLACE INTO objects(grp,plural,ns,name,uid,rv,data) "
                          "VALUES(?,?,?,?,?,?,?)",
                          row)
                      .bind(uid)
                      .bind(static_cast<std::int64_t>(version))
                      .bind(data)
                      .run());
  for (const auto& owner : resource::owners_of(object)) {
    HEARTH_CHECK_OK(database
                        .prepare("INSERT OR REPLACE INTO owners(owner_uid,uid,grp,plural,ns,name) "
                                 "VALUES(?,?,?,?,?,?)")
                        .bind(owner.uid)
                        .bind(uid)
                        .bind(row.group)
                        .bind(row.plural)
                        .bind(row.key.ns)
                        .bind(row.key.name)
                        .run());
  }
  return {};
}

Status erase_object(sqlite::Database& database, const RowKey& row, const std::string& uid) {
  HEARTH_CHECK_OK(
      for_row(database, "DELETE FROM objects WHERE grp=? AND plural=? AND ns=? AND name=?", row)
          .run());
  return database.prepare("DELETE FROM owners WHERE uid=?").bind(uid).run();
}

Status append_log(sqlite::Database& database, const RowKey& row, resource::WatchEvent::Type type,
                  std::uint64_t version) {
  return database
      .prepare(
          "INSERT INTO changes(rv,grp,plural,ns,name,type,previous) VALUES(?1,?2,?3,?4,?5,?6,"
          "(SELECT data FROM objects WHERE grp=?2 AND plural=?3 AND ns=?4 AND name=?5))")
      .bind(static_cast<std::int64_t>(version))
      .bind(row.group)
      .bind(row.plural)
      .bind(row.key.ns)
      .bind(row.key.name)
      .bind(static_cast<std::int64_t>(type))
      .run();
}

Status prune_log(sqlite::Database& database, std::uint64_t keep_from) {
  return database.prepare("DELETE FROM changes WHERE rv<?")
      .bind(static_cast<std::int64_t>(keep_from))
      .run();
}

Result<std::uint64_t> last_version(sqlite::Database& database) {
  auto statement = database.prepare("SELECT max(rv) FROM changes");
  HEARTH_CHECK_OK(statement.step());
  return static_cast<std::uint64_t>(statement.integer(0));
}

Result<std::uint64_t> oldest_version(sqlite::Database& database) {
  auto statement = database.prepare("SELECT min(rv) FROM changes");
  HEARTH_CHECK_OK(statement.step());
  const auto oldest = static_cast<std::uint64_t>(statement.integer(0));
  return oldest == 0 ? 0 : oldest - 1;
}

namespace {

// A deletion shows the last state under the version of the deletion; none of what couldn't be read.
resource::ObjectPtr at_version(const resource::ObjectPtr& object, std::uint64_t version) {
  if (!object) return nullptr;
  Json copy = *object;
  copy["metadata"]["resourceVersion"] = std::to_string(version);
  return std::make_shared<const Json>(std::move(copy));
}

}  // namespace

Result<std::vector<Change>> read_log(sqlite::Database& database, const std::string& group,
                                     const std::string& plural, std::uint64_t after) {
  auto statement = database.prepare(
      "SELECT rv,type,ns,name,previous FROM changes WHERE grp=? AND plural=? AND rv>? "
      "ORDER BY rv DESC");
  statement.bind(group).bind(plural).bind(static_cast<std::int64_t>(after));
  std::vector<Change> out;
  std::map<resource::ObjectKey, resource::ObjectPtr> later;  // what the next change found
  while (true) {
    HEARTH_TRY(more, statement.step());
    if (!more) break;
    Change change{.resource_version = static_cast<std::uint64_t>(statement.integer(0)),
                  .type = static_cast<resource::WatchEvent::Type>(statement.integer(1)),
                  .group = group,
                  .plural = plural};
    const resource::ObjectKey key{std::string(statement.text(2)), std::string(statement.text(3))};
    if (!statement.text(4).empty()) {
      change.previous = parse_if_readable({group, plural, key}, statement.text(4));
    }
    if (change.type == resource::WatchEvent::Type::kDeleted) {
      change.object = at_version(change.previous, change.resource_version);
    } else if (const auto it = later.find(key); it != later.end()) {
      change.object = it->second;
    } else {
      // Null, too, when it can't be read: a list has shown none either.
      auto object = read_object(database, {group, plural, key});
      if (!object && object.error().code != Code::kCorrupt) return fail(object.error());
      if (object) change.object = std::move(*object);
    }
    later[key] = change.previous;
    if (change.object) out.push_back(std::move(change));
  }
  std::ranges::reverse(out);
  return out;
}

Result<std::map<resource::ObjectKey, resource::ObjectPtr>> changed_since(sqlite::Database& database,
                                                                         const std::string& group,
                                                                         const std::string& plural,
                                                                         std::uint64_t version) {
  auto statement = database.prepare(
      "SELECT ns,name,min(rv),previous FROM changes WHERE grp=? AND plural=? AND rv>? "
      "GROUP BY ns,name");
  statement.bind(group).bind(plural).bind(static_cast<std::int64_t>(version));
  std::map<resource::ObjectKey, resource::ObjectPtr> out;
  while (true) {
    HEARTH_TRY(more, statement.step());
    if (!more) return out;
    const resource::ObjectKey key{std::string(statement.text(0)), std::string(statement.text(1))};
    resource::ObjectPtr& before = out[key];
    if (statement.text(3).empty()) continue;
    before = parse_if_readable({group, plural, key}, statement.text(3));
  }
}

Result<std::size_t> count_behind(sqlite::Database& database, const std::string& group,
                                 const std::string& plural, const std::string& ns,
                                 const resource::ObjectKey& after) {
  auto statement = database.prepare(
      ns.empty() ? "SELECT count(*) FROM objects WHERE grp=? AND plural=? AND (ns,name)>(?,?)"
                 : "SELECT count(*) FROM objects WHERE grp=? AND plural=? AND ns=? AND name>?");
  statement.bind(group).bind(plural).bind(after.ns).bind(after.name);
  HEARTH_CHECK_OK(statement.step());
  return static_cast<std::size_t>(statement.integer(0));
}

}  // namespace hearth::store
