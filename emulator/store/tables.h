// The store's SQL: rows in, rows out. Called with the writer's database (changes) or a reader's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "emulator/store/row_key.h"
#include "emulator/store/watch_hub.h"
#include "platform/resource/object.h"
#include "platform/sqlite/database.h"

namespace hearth::store {

class ParsedObjects;

// A row may hold what is no object: a damaged file, a hand in it, or one that is nested deeper than
// limits::kObjectDepthMax, from before this was refused. It must not keep others from being read:
// reading it alone is kCorrupt and names it; whatever reads many logs it and passes it over.

// Null: there is none.
Result<resource::ObjectPtr> read_object(sqlite::Database& database, const RowKey& row);
// Parses only what `parsed` doesn't have.
Result<resource::ObjectPtr> read_object(sqlite::Database& database, const RowKey& row,
                                        ParsedObjects& parsed);
// Of an object that can't be read: {metadata: {uid, resourceVersion}}; null: there is no row.
Result<Json> read_row_metadata(sqlite::Database& database, const RowKey& row);
Result<bool> uid_exists(sqlite::Database& database, const std::string& uid);
Result<std::vector<RowKey>> read_dependents(sqlite::Database& database, const std::string& uid);
// Rows of one collection in order, from behind `after`; `visit` returns false to stop.
Status scan(sqlite::Database& database, const std::string& group, const std::string& plural,
            const std::string& ns, const resource::ObjectKey& after,
            const std::function<bool(resource::ObjectPtr)>& visit);
// Also those of objects that can't be read.
Result<std::vector<RowKey>> read_collection(sqlite::Database& database, const std::string& group,
                                            const std::string& plural);
Result<std::vector<RowKey>> read_namespace_contents(sqlite::Database& database,
                                                    const std::string& ns);

Status write_object(sqlite::Database& database, const RowKey& row, const Json& object,
                    std::uint64_t version);
Status erase_object(sqlite::Database& database, const RowKey& row, const std::string& uid);
// Call before the object is written or erased: the log keeps the state that the change replaces.
Status append_log(sqlite::Database& database, const RowKey& row, resource::WatchEvent::Type type,
                  std::uint64_t version);
Status prune_log(sqlite::Database& database, std::uint64_t keep_from);

Result<std::uint64_t> last_version(sqlite::Database& database);
// The oldest version a watch may continue from; watches from below are expired.
Result<std::uint64_t> oldest_version(sqlite::Database& database);
Result<std::vector<Change>> read_log(sqlite::Database& database, const std::string& group,
                                     const std::string& plural, std::uint64_t after);
// The objects that changed after `version`, as they were at it; null: not there then.
Result<std::map<resource::ObjectKey, resource::ObjectPtr>> changed_since(sqlite::Database& database,
                                                                         const std::string& group,
                                                                         const std::string& plural,
                                                                         std::uint64_t version);
Result<std::size_t> count_behind(sqlite::Database& database, const std::string& group,
                                 const std::string& plural, const std::string& ns,
                                 const resource::ObjectKey& after);

}  // namespace hearth::store
