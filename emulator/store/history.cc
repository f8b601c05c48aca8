#include "emulator/store/history.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/json.h"

namespace hearth::store {

using namespace resource;

namespace {

// A place in a list: the version that its pages show and the last key told.
struct Place {
  std::uint64_t version = 0;
  ObjectKey key;
};

std::string encode(const Place& place) {
  return base::base64(base::dump_json(Json{place.version, place.key.ns, place.key.name}));
}

Result<Place> decode(const std::string& token) {
  const auto text = base::from_base64(token);
  auto json = text ? base::parse_json(*text) : fail(Code::kBadRequest, "");
  if (!json || !json->is_array() || json->size() != 3 || !(*json)[0].is_number_unsigned() ||
      !(*json)[1].is_string() || !(*json)[2].is_string()) {
    return fail(Code::kBadRequest, "continue key is not valid");
  }
  return Place{(*json)[0].get<std::uint64_t>(),
               {(*json)[1].get<std::string>(), (*json)[2].get<std::string>()}};
}

// All reads until the end see one state of the database.
class Snapshot {
 public:
  explicit Snapshot(sqlite::Database& database) : database_(database) {
    began_ = database_.execute("BEGIN");
  }
  ~Snapshot() {
    // It only read: there is nothing to lose.
    (void)database_.execute("COMMIT");
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  const Status& began() const { return began_; }

 private:
  sqlite::Database& database_;
  Status began_;
};

using Visit = std::function<bool(ObjectPtr)>;

// scan() of the state at `version`: what changed since is replaced by what it was.
Status scan_at(sqlite::Database& database, const Scope& scope, const ObjectKey& after,
               std::uint64_t version, const Visit& visit) {
  HEARTH_TRY(changed, changed_since(database, scope.group, scope.plural, version));
  auto next = changed.upper_bound(after);
  bool wanted = true;
  const auto visit_changed_before = [&](const ObjectKey* key) {
    for (; wanted && next != changed.end() && (key == nullptr || next->first < *key); ++next) {
      if (next->second) wanted = visit(next->second);
    }
  };
  HEARTH_CHECK_OK(
      scan(database, scope.group, scope.plural, scope.ns, after, [&](const ObjectPtr& object) {
        const ObjectKey key = key_of(*object);
        visit_changed_before(&key);
        if (!wanted || changed.contains(key)) return wanted;
        wanted = visit(object);
        return wanted;
      }));
  visit_changed_before(nullptr);
  return {};
}

Error expired(const char* what, std::uint64_t version, std::uint64_t oldest) {
  return {Code::kExpired, fmt::format("{}: {} ({})", what, version, oldest), {}};
}

}  // namespace

Result<List> read_page(sqlite::Database& database, const Scope& scope, const ListOptions& options) {
  Place from;
  if (!options.continue_token.empty()) {
    HEARTH_TRY(decoded, decode(options.continue_token));
    from = std::move(decoded);
  }
  const Snapshot snapshot(database);
  HEARTH_CHECK_OK(snapshot.began());
  HEARTH_TRY(newest, last_version(database));
  const std::uint64_t asked = from.version != 0 ? from.version : options.exact_version;
  if (asked != 0 && asked < newest) {
    HEARTH_TRY(oldest, oldest_version(database));
    if (asked < oldest) {
      return fail(expired(from.version != 0
                              ? "The provided continue parameter is too old to display a "
                                "consistent list result: start a new list without it"
                              : "too old resource version",
                          asked, oldest));
    }
  }
  List out;
  out.resource_version = asked != 0 ? std::min(asked, newest) : newest;
  bool more = false;
  const Visit visit = [&](const ObjectPtr& object) {
    if (!scope.matches(*object)) return true;
    more = options.limit > 0 && out.items.size() == options.limit;
    if (!more) out.items.push_back(object);
    return !more;
  };
  HEARTH_CHECK_OK(out.resource_version < newest
                      ? scan_at(database, scope, from.key, out.resource_version, visit)
                      : scan(database, scope.group, scope.plural, scope.ns, from.key, visit));
  if (!more) return out;
  const ObjectKey last = key_of(*out.items.back());
  out.continue_token = encode({out.resource_version, last});
  if (options.label_selector.empty() && options.field_selector.empty()) {
    HEARTH_TRY(behind, count_behind(database, scope.group, scope.plural, scope.ns, last));
    out.remaining = behind;
  }
  return out;
}

Result<Replay> read_replay(sqlite::Database& database, const Scope& scope, std::uint64_t version) {
  const Snapshot snapshot(database);
  HEARTH_CHECK_OK(snapshot.began());
  Replay out;
  HEARTH_TRY(newest, last_version(database));
  out.version = newest;
  if (version == 0) {
    HEARTH_CHECK_OK(
        scan(database, scope.group, scope.plural, scope.ns, {}, [&](const ObjectPtr& object) {
          if (scope.matches(*object)) {
            out.events.push_back({WatchEvent::Type::kAdded, object, resource_version_of(*object)});
          }
          return true;
        }));
    out.events.push_back({WatchEvent::Type::kBookmark, nullptr, newest});
    return out;
  }
  HEARTH_TRY(oldest, oldest_version(database));
  if (version < oldest) return fail(expired("too old resource version", version, oldest));
  // From another life of this state folder: waiting for that version would be deaf till then.
  if (version > newest) return fail(expired("too large resource version", version, newest));
  HEARTH_TRY(changes, read_log(database, scope.group, scope.plural, version));
  for (const Change& change : changes) {
    if (auto event = event_of(scope, change)) out.events.push_back(std::move(*event));
  }
  return out;
}

}  // namespace hearth::store
