#include "emulator/store/sqlite_store.h"

#include <fmt/format.h>

#include "emulator/store/built_in_rules.h"
#include "emulator/store/collector.h"
#include "emulator/store/history.h"
#include "emulator/store/object_rules.h"
#include "emulator/store/parsed_objects.h"
#include "emulator/store/tables.h"
#include "emulator/store/watch_hub.h"
#include "platform/async/loop.h"
#include "platform/async/task_group.h"
#include "platform/base/bytes.h"
#include "platform/base/failpoint.h"
#include "platform/base/limits.h"
#include "platform/resource/definition_rules.h"
#include "platform/resource/managed_fields.h"
#include "platform/resource/schema.h"
#include "platform/resource/well_known.h"

namespace hearth::store {

using namespace resource;

namespace {

constexpr std::uint64_t kPruneEvery = 1'000;

// What one write makes of the current object.
struct Mutation {
  enum class Kind { kNothing, kPut, kErase };
  Kind kind = Kind::kNothing;
  Json object;  // kPut: the next state; kErase: the last one
};
using Mutate = std::function<Result<Mutation>(const ObjectPtr& current)>;

struct MutateOptions {
  bool dry_run = false;
  // Taken for the current object when that is stored but can't be read: null for none, or a
  // stand-in, which gets its uid and resourceVersion. Without it the write fails with kCorrupt.
  std::optional<Json> if_unreadable;
};

Error unknown_type(const Type&) {
  return {Code::kNotFound, "the server could not find the requested resource", {}};
}

bool is_permanent_namespace(const std::string& name) {
  return name == "default" || name == "kube-system" || name == "kube-public";
}

// Namespaces carry their name as a label and are held by a finalizer until they are empty.
Status admit_namespace(Json& object, const Json* old) {
  object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name_of(object);
  if (old != nullptr) return {};
  add_finalizer(object, kNamespaceFinalizer);
  object["status"] = {{"phase", "Active"}};
  return {};
}

// What was stored before there were all these rules may still be labelled and deleted.
Status check_crd(const Json& object, const Json* old) {
  HEARTH_CHECK_OK(definition_from_crd(object));
  const Json* before = old == nullptr ? nullptr : base::find(*old, {"spec"});
  if (before != nullptr && *before == object["spec"]) return {};
  return check_definition(object);
}

Status admit_crd(Json& object, const Json* old) {
  HEARTH_CHECK_OK(check_crd(object, old));
  const std::string now = base::format_rfc3339(base::SystemClock().wall());
  object["status"] = {{"conditions",
                       {{{"type", "NamesAccepted"},
                         {"status", "True"},
                         {"reason", "NoConflicts"},
                         {"message", "no conflicts found"},
                         {"lastTransitionTime", now}},
                        {{"type", "Established"},
                         {"status", "True"},
                         {"reason", "InitialNamesAccepted"},
                         {"message", "the initial names have been accepted"},
                         {"lastTransitionTime", now}}}},
                      {"acceptedNames", object["spec"]["names"]},
                      {"storedVersions", Json::array({definition_from_crd(object)->type.version})}};
  return {};
}

}  // namespace

struct SqliteStore::State {
  State(async::Loop& l, sqlite::Writer& w, sqlite::Database r, DefinitionRegistry& d,
        const base::Clock& c, SqliteStore& self)
      : loop(l),
        writer(w),
        reader(std::move(r)),
        definitions(d),
        clock(c),
        hub(l),
        tasks(l),
        collector(self, reader, d) {}

  async::Loop& loop;
  sqlite::Writer& writer;
  sqlite::Database reader;
  DefinitionRegistry& definitions;
  const base::Clock& clock;
  WatchHub hub;
  ParsedObjects parsed;
  async::TaskGroup tasks;
  Collector collector;
  std::uint64_t published = 0;

  // Writer thread only.
  ParsedObjects written;
  std::uint64_t version = 0;
  std::vector<Change> uncommitted;

  Task<Result<ObjectPtr>> mutate(RowKey row, Mutate step, MutateOptions options);
  Result<ObjectPtr> apply(sqlite::Database& database, const RowKey& row, const Mutate& step,
                          const MutateOptions& options);
  Result<ObjectPtr> current_object(sqlite::Database& database, const RowKey& row,
                                   const std::optional<Json>& if_unreadable);
  Result<ObjectPtr> commit_mutation(sqlite::Database& database, const RowKey& row,
                                    const ObjectPtr& current, Mutation mutation);
  Status check_namespace(sqlite::Database& database, const Definition& definition,
                         const ObjectKey& key);
  void publish(std::vector<Change> changes);
  void follow_crd(const Change& change);
  Task<void> erase_collection(std::string group, std::string plural);
  Result<Scope> scope_of(const Definition& definition, const std::string& ns,
                         const std::string& labels, const std::string& fields) const;
};

SqliteStore::SqliteStore(async::Loop& loop, sqlite::Writer& writer, sqlite::Database reader,
                         DefinitionRegistry& definitions, const base::Clock& clock)
    : state_(std::make_shared<State>(loop, writer, std::move(reader), definitions, clock, *this)) {
  set_built_in_rules(definitions);
  definitions.set_admission("", "namespaces", admit_namespace);
  definitions.set_admission(kCustomResourceDefinitions.group, kCustomResourceDefinitions.plural,
                            admit_crd);
  writer.observe_batches([weak = std::weak_ptr(state_)](const Status& committed) {
    const auto state = weak.lock();
    if (!state) return;
    // What was rolled back is not what the tables hold.
    if (!committed) state->written.clear();
    if (state->uncommitted.empty()) return;
    auto changes = std::exchange(state->uncommitted, {});
    if (!committed) return;
    state->loop.post(
        [state, moved = std::move(changes)]() mutable { state->publish(std::move(moved)); });
  });
}

SqliteStore::~SqliteStore() = default;

Status SqliteStore::load() {
  HEARTH_TRY(version, last_version(state_->reader));
  state_->version = version;
  state_->published = version;
  HEARTH_CHECK_OK(scan(state_->reader, kCustomResourceDefinitions.group,
                       kCustomResourceDefinitions.plural, "", {}, [this](const ObjectPtr& crd) {
                         if (auto definition = definition_from_crd(*crd)) {
                           state_->definitions.put(std::move(*definition));
                         }
                         return true;
                       }));
  state_->tasks.spawn(state_->collector.sweep());
  return {};
}

std::uint64_t SqliteStore::resource_version() const { return state_->published; }
std::size_t SqliteStore::watches() const { return state_->hub.size(); }

Task<void> SqliteStore::stop() {
  const auto state = state_;
  state->hub.close();
  state->tasks.cancel();
  co_await state->tasks.drain();
}

void SqliteStore::State::publish(std::vector<Change> changes) {
  for (Change& change : changes) {
    published = change.resource_version;
    if (change.plural == kCustomResourceDefinitions.plural) follow_crd(change);
    hub.publish(change);
    const bool gone = change.type == WatchEvent::Type::kDeleted;
    const RowKey row{change.group, change.plural, key_of(*change.object)};
    if (gone)
      parsed.erase(row, change.resource_version);
    else
      parsed.put(row, change.resource_version, change.object);
    if (gone || is_being_deleted(*change.object)) {
      // The end of an object may be what a terminating namespace waits for.
      if (gone && !namespace_of(*change.object).empty()) {
        auto ns = read_object(reader, {"", "namespaces", {"", namespace_of(*change.object)}});
        if (ns && *ns && is_being_deleted(**ns)) {
          tasks.spawn(
              collector.after({0, WatchEvent::Type::kModified, "", "namespaces", *ns, nullptr}));
        }
      }
      tasks.spawn(collector.after(std::move(change)));
    }
  }
}

void SqliteStore::State::follow_crd(const Change& change) {
  auto definition = definition_from_crd(*change.object);
  if (change.type != WatchEvent::Type::kDeleted) {
    if (definition) definitions.put(std::move(*definition));
    return;
  }
  if (definition) {
    tasks.spawn(erase_collection(definition->type.group, definition->type.plural));
    return;
  }
  // Of one that couldn't be read only the name is known: PLURAL.GROUP.
  const std::string name = name_of(*change.object);
  const auto dot = name.find('.');
  if (dot == std::string::npos) return;
  tasks.spawn(erase_collection(name.substr(dot + 1), name.substr(0, dot)));
}

// A custom kind's objects go with their definition; only then does the API forget the kind.
Task<void> SqliteStore::State::erase_collection(std::string group, std::string plural) {
  const auto rows = read_collection(reader, group, plural);
  if (!rows) co_return;
  const auto definition = definitions.find(group, plural);
  const Type type = definition ? definition->type : Type{group, "", plural, "", true};
  for (const RowKey& row : *rows) {
    (void)co_await mutate(row,
                          [](const ObjectPtr& current) -> Result<Mutation> {
                            if (!current) return Mutation{};
                            return Mutation{Mutation::Kind::kErase, *current};
                          },
                          {.if_unreadable = new_object(type, row.key)});
  }
  // Meanwhile it may have been created anew, and the kind with it.
  const RowKey own{kCustomResourceDefinitions.group,
                   kCustomResourceDefinitions.plural,
                   {"", fmt::format("{}.{}", plural, group)}};
  const auto again = read_object(reader, own);
  if (again && !*again) definitions.remove(group, plural);
}

Result<Scope> SqliteStore::State::scope_of(const Definition& definition, const std::string& ns,
                                           const std::string& labels,
                                           const std::string& fields) const {
  HEARTH_TRY(label_selector, LabelSelector::parse(labels));
  HEARTH_TRY(field_selector, FieldSelector::parse(fields));
  return Scope{definition.type.group, definition.type.plural, ns, std::move(label_selector),
               std::move(field_selector)};
}

Task<Result<ObjectPtr>> SqliteStore::State::mutate(RowKey row, Mutate step, MutateOptions options) {
  co_return co_await writer.write<ObjectPtr>(
      [this, row = std::move(row), step = std::move(step), options = std::move(options)](
          sqlite::Database& database) { return apply(database, row, step, options); });
}

Result<ObjectPtr> SqliteStore::State::current_object(sqlite::Database& database, const RowKey& row,
                                                     const std::optional<Json>& if_unreadable) {
  auto current = read_object(database, row, written);
  if (current || current.error().code != Code::kCorrupt || !if_unreadable) return current;
  if (if_unreadable->is_null()) return ObjectPtr();
  HEARTH_TRY(known, read_row_metadata(database, row));
  if (known.is_null()) return ObjectPtr();
  Json stand_in = *if_unreadable;
  stand_in.merge_patch(known);
  return std::make_shared<const Json>(std::move(stand_in));
}

// Every write passes here, whoever makes it.
Result<ObjectPtr> SqliteStore::State::apply(sqlite::Database& database, const RowKey& row,
                                            const Mutate& step, const MutateOptions& options) {
  HEARTH_TRY(current, current_object(database, row, options.if_unreadable));
  HEARTH_TRY(mutation, step(current));
  if (mutation.kind == Mutation::Kind::kNothing) return current;
  if (mutation.kind == Mutation::Kind::kPut) HEARTH_CHECK_OK(check_depth(mutation.object));
  if (options.dry_run) return std::make_shared<const Json>(std::move(mutation.object));
  return commit_mutation(database, row, current, std::move(mutation));
}

Result<ObjectPtr> SqliteStore::State::commit_mutation(sqlite::Database& database, const RowKey& row,
                                                      const ObjectPtr& current, Mutation mutation) {
  const std::uint64_t next = version + 1;
  const bool erase = mutation.kind == Mutation::Kind::kErase;
  mutation.object["metadata"]["resourceVersion"] = std::to_string(next);
  auto object = std::make_shared<const Json>(std::move(mutation.object));
  Change change{next,
                erase     ? WatchEvent::Type::kDeleted
                : current ? WatchEvent::Type::kModified
                          : WatchEvent::Type::kAdded,
                row.group,
                row.plural,
                object,
                current};
  HEARTH_CHECK_OK(append_log(database, row, change.type, next));
  HEARTH_CHECK_OK(base::failpoint("store.write"));
  HEARTH_CHECK_OK(erase ? erase_object(database, row, uid_of(*object))
                        : write_object(database, row, *object, next));
  if (next % kPruneEvery == 0 && next > limits::kWatchHistoryEvents) {
    HEARTH_CHECK_OK(prune_log(database, next - limits::kWatchHistoryEvents));
  }
  // Only now: a work that failed above is rolled back and must leave no trace here. A batch whose
  // commit fails leaves a gap in the versions, which is allowed.
  version = next;
  if (erase)
    written.erase(row, next);
  else
    written.put(row, next, object);
  uncommitted.push_back(std::move(change));
  return object;
}

namespace {

FieldManager manager_of(const Type& type, const WriteOptions& options) {
  return {options.field_manager, type.api_version(),
          options.subresource == Subresource::kStatus ? "status" : ""};
}

}  // namespace

Status SqliteStore::State::check_namespace(sqlite::Database& database, const Definition& definition,
                                           const ObjectKey& key) {
  if (!definition.type.namespaced) return {};
  HEARTH_TRY(object, read_object(database, {"", "namespaces", {"", key.ns}}, written));
  if (!object) return fail(Code::kNotFound, fmt::format("namespaces \"{}\" not found", key.ns));
  if (!is_being_deleted(*object)) return {};
  return fail(Code::kForbidden,
              fmt::format("{} \"{}\" is forbidden: unable to create new content in namespace {} "
                          "because it is being terminated",
                          definition.resource_name(), key.name, key.ns));
}

Task<Result<ObjectPtr>> SqliteStore::create(Type type, Json object, WriteOptions options) {
  const auto state = state_;
  const auto definition = state->definitions.find(type.group, type.plural);
  if (!definition) co_return fail(unknown_type(type));
  // Prepared on the loop: it reads nothing of the store, and generateName decides the key.
  const base::WallTime now = state->clock.wall();
  HEARTH_CO_CHECK_OK(prepare_create(*definition, object, options, now));
  if (!options.field_manager.empty()) {
    object["metadata"]["managedFields"] =
        managed_at_creation(*definition, object, manager_of(type, options), now);
  }
  const RowKey row{type.group, type.plural, key_of(object)};
  co_return co_await state->writer.write<ObjectPtr>(
      [state, definition, row, object = std::move(object),
       dry_run = options.dry_run](sqlite::Database& database) -> Result<ObjectPtr> {
        HEARTH_CHECK_OK(state->check_namespace(database, *definition, row.key));
        return state->apply(
            database, row,
            [&](const ObjectPtr& current) -> Result<Mutation> {
              if (!current) return Mutation{Mutation::Kind::kPut, object};
              return fail(Code::kAlreadyExists,
                          fmt::format("{} \"{}\" already exists", definition->resource_name(),
                                      row.key.name));
            },
            // What can't be read is written anew: so the house gets back what it can't do without.
            {.dry_run = dry_run, .if_unreadable = Json()});
      });
}

namespace {

// The end of an update: nothing changed, a put, or (the last finalizer went) an erase.
Mutation settle_update(const ObjectPtr& current, Json object) {
  if (object == *current) return {};
  const Json* finalizers = base::find(object, {"metadata", "finalizers"});
  const bool held = finalizers != nullptr && finalizers->is_array() && !finalizers->empty();
  if (is_being_deleted(object) && !held) return {Mutation::Kind::kErase, std::move(object)};
  return {Mutation::Kind::kPut, std::move(object)};
}

void set_managed(Json& object, Json managed) {
  if (managed.empty())
    object["metadata"].erase("managedFields");
  else
    object["metadata"]["managedFields"] = std::move(managed);
}

// What replaces `current` when a client wants `next`; managedFields follow unless a controller of
// the house writes.
Result<Mutation> settle_wanted(const Definition& definition, const ObjectPtr& current, Json next,
                               const WriteOptions& options, const FieldManager& manager,
                               base::WallTime now) {
  Json offered;
  if (const Json* sent = base::find(next, {"metadata", "managedFields"})) offered = *sent;
  HEARTH_CHECK_OK(prepare_update(definition, *current, next, options));
  if (manager.name.empty()) {
    const Json* kept = base::find(*current, {"metadata", "managedFields"});
    set_managed(next, kept != nullptr ? *kept : Json());
  } else {
    Json managed = managed_after_update(definition, *current, next, offered, manager, now);
    set_managed(next, std::move(managed));
  }
  return settle_update(current, std::move(next));
}

// Server-side apply on an object that exists.
Result<Mutation> settle_applied(const Definition& definition, const ObjectPtr& current,
                                const Json& configuration, const WriteOptions& options,
                                const FieldManager& manager, base::WallTime now) {
  HEARTH_TRY(applied,
             apply_configuration(definition, *current, configuration, manager, options.force, now));
  HEARTH_CHECK_OK(prepare_update(definition, *current, applied.object, options));
  Json managed =
      managed_after_apply(definition, applied.object, configuration, applied.managed, manager, now);
  const Json* known = base::find(*current, {"metadata", "managedFields"});
  if (known != nullptr && same_managers(*known, managed)) managed = *known;
  set_managed(applied.object, std::move(managed));
  return settle_update(current, std::move(applied.object));
}

}  // namespace

Task<Result<ObjectPtr>> SqliteStore::update(Type type, Json object, WriteOptions options) {
  const auto state = state_;
  const auto definition = state->definitions.find(type.group, type.plural);
  if (!definition) co_return fail(unknown_type(type));
  const ObjectKey key = key_of(object);
  co_return co_await state->mutate(
      {type.group, type.plural, key},
      [definition, key, options, manager = manager_of(type, options), now = state->clock.wall(),
       wanted = std::move(object)](const ObjectPtr& current) -> Result<Mutation> {
        if (!current) return fail(not_found(*definition, key.name));
        return settle_wanted(*definition, current, wanted, options, manager, now);
      },
      {.dry_run = options.dry_run});
}

Task<Result<ObjectPtr>> SqliteStore::patch(Type type, ObjectKey key, PatchType patch_type,
                                           Json patch, WriteOptions options) {
  const auto state = state_;
  const auto definition = state->definitions.find(type.group, type.plural);
  if (!definition) co_return fail(unknown_type(type));
  if (patch_type == PatchType::kApply) {
    co_return co_await apply_on_server(std::move(type), std::move(key), std::move(patch),
                                       std::move(options));
  }
  if (patch_type == PatchType::kStrategic && definition->is_custom) {
    co_return fail(Code::kUnsupported,
                   "the body of the request was in an unknown format - accepted media types "
                   "include: application/json-patch+json, application/merge-patch+json, "
                   "application/apply-patch+yaml");
  }
  co_return co_await state->mutate(
      {type.group, type.plural, key},
      [definition, key, patch_type, patch = std::move(patch), options,
       manager = manager_of(type, options),
       now = state->clock.wall()](const ObjectPtr& current) -> Result<Mutation> {
        if (!current) return fail(not_found(*definition, key.name));
        HEARTH_TRY(next, apply_patch(patch_type, *current, patch));
        if (name_of(next) != key.name || namespace_of(next) != key.ns) {
          return fail(Code::kBadRequest, "a patch can't change an object's name or namespace");
        }
        return settle_wanted(*definition, current, std::move(next), options, manager, now);
      },
      {.dry_run = options.dry_run});
}

Task<Result<ObjectPtr>> SqliteStore::apply_on_server(Type type, ObjectKey key, Json configuration,
                                                     WriteOptions options) {
  const auto state = state_;
  const auto definition = state->definitions.find(type.group, type.plural);
  const FieldManager manager = manager_of(type, options);
  const base::WallTime now = state->clock.wall();
  HEARTH_CO_TRY(wanted, applied_configuration(*definition, std::move(configuration), manager));
  const RowKey row{type.group, type.plural, std::move(key)};
  co_return co_await state->writer.write<ObjectPtr>(
      [state, definition, row, options, manager, now,
       wanted = std::move(wanted)](sqlite::Database& database) -> Result<ObjectPtr> {
        const auto step = [&](const ObjectPtr& current) -> Result<Mutation> {
          if (options.created != nullptr) *options.created = !current;
          if (current) {
            return settle_applied(*definition, current, wanted, options, manager, now);
          }
          if (options.subresource == Subresource::kStatus) {
            return fail(not_found(*definition, row.key.name));
          }
          HEARTH_CHECK_OK(state->check_namespace(database, *definition, row.key));
          Json object = wanted;
          HEARTH_CHECK_OK(prepare_create(*definition, object, options, now));
          set_managed(object, managed_after_apply(*definition, object, wanted, Json::array(),
                                                  manager, now));
          return Mutation{Mutation::Kind::kPut, std::move(object)};
        };
        return state->apply(database, row, step, {.dry_run = options.dry_run});
      });
}

namespace {

// What is deleted in the place of an object that can't be read. Its finalizers are unknown, but a
// namespace is emptied first.
Json stand_in_of(const Definition& definition, const ObjectKey& key) {
  Json object = new_object(definition.type, key);
  if (definition.type.plural == kNamespaces.plural && definition.type.group.empty()) {
    add_finalizer(object, kNamespaceFinalizer);
  }
  return object;
}

}  // namespace

Task<Result<Deleted>> SqliteStore::remove(Type type, ObjectKey key, DeleteOptions options) {
  const auto state = state_;
  const auto definition = state->definitions.find(type.group, type.plural);
  if (!definition) co_return fail(unknown_type(type));
  if (type.plural == "namespaces" && type.group.empty() && is_permanent_namespace(key.name)) {
    co_return fail(Code::kForbidden, fmt::format("namespaces \"{}\" is forbidden: this namespace "
                                                 "may not be deleted",
                                                 key.name));
  }
  auto gone = std::make_shared<bool>(false);
  const base::WallTime now = state->clock.wall();
  auto removed = co_await state->mutate(
      {type.group, type.plural, key},
      [definition, key, options, now, gone](const ObjectPtr& current) -> Result<Mutation> {
        if (!current) return fail(not_found(*definition, key.name));
        if ((!options.uid.empty() && options.uid != uid_of(*current)) ||
            (options.resource_version != 0 &&
             options.resource_version != resource_version_of(*current))) {
          return fail(conflict(*definition, key.name));
        }
        Json next = *current;
        mark_deleted(next, options, now);
        if (next["kind"] == "Namespace") next["status"]["phase"] = "Terminating";
        Mutation mutation = settle_update(current, std::move(next));
        *gone = mutation.kind == Mutation::Kind::kErase;
        return mutation;
      },
      {.dry_run = options.dry_run, .if_unreadable = stand_in_of(*definition, key)});
  if (!removed) co_return fail(removed.error());
  co_return Deleted{*removed, *gone};
}

Task<Result<ObjectPtr>> SqliteStore::get(Type type, ObjectKey key) {
  const auto definition = state_->definitions.find(type.group, type.plural);
  if (!definition) co_return fail(unknown_type(type));
  HEARTH_CO_TRY(object,
                read_object(state_->reader, {type.group, type.plural, key}, state_->parsed));
  if (!object) co_return fail(not_found(*definition, key.name));
  co_return object;
}

Task<Result<List>> SqliteStore::list(Type type, ListOptions options) {
  const auto definition = state_->definitions.find(type.group, type.plural);
  if (!definition) co_return fail(unknown_type(type));
  HEARTH_CO_TRY(scope, state_->scope_of(*definition, options.ns, options.label_selector,
                                        options.field_selector));
  co_return read_page(state_->reader, scope, options);
}

Task<Result<std::unique_ptr<Watch>>> SqliteStore::watch(Type type, WatchOptions options) {
  const auto state = state_;
  const auto definition = state->definitions.find(type.group, type.plural);
  if (!definition) co_return fail(unknown_type(type));
  HEARTH_CO_TRY(scope, state->scope_of(*definition, options.ns, options.label_selector,
                                       options.field_selector));
  HEARTH_CO_TRY(replay, read_replay(state->reader, scope, options.resource_version));
  co_return state->hub.subscribe(std::move(scope), replay.version, std::move(replay.events));
}

}  // namespace hearth::store
