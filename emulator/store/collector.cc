#include "emulator/store/collector.h"

#include <algorithm>

#include "platform/resource/well_known.h"
#include "platform/telemetry/log.h"

namespace hearth::store {

using resource::WatchEvent;

namespace {
constexpr telemetry::Log kLog("collector");
constexpr std::string_view kForeground = "foregroundDeletion";
constexpr std::string_view kOrphan = "orphan";
}  // namespace

Collector::Collector(resource::Store& store, sqlite::Database& reader,
                     resource::DefinitionRegistry& definitions)
    : store_(store), reader_(reader), definitions_(definitions) {}

resource::Type Collector::type_of(const RowKey& row) const {
  const auto definition = definitions_.find(row.group, row.plural);
  return definition ? definition->type : resource::Type{row.group, "", row.plural, "", true};
}

Task<void> Collector::remove_row(RowKey row) {
  const auto removed = co_await store_.remove(type_of(row), row.key, {});
  if (!removed && removed.error().code != Code::kNotFound) {
    kLog.warn("collect_failed",
              {{"object", row.plural + "/" + row.key.text()}, {"error", removed.error().message}});
  }
}

Task<void> Collector::after(Change change) {
  const Json& object = *change.object;
  if (change.type == WatchEvent::Type::kDeleted) {
    co_await collect_dependents(resource::uid_of(object));
    for (const auto& owner : resource::owners_of(object)) {
      const auto [slash, group] = std::pair(owner.api_version.find('/'), owner.api_version);
      const auto definition = definitions_.find_kind(
          slash == std::string::npos ? "" : group.substr(0, slash), owner.kind);
      if (!definition) continue;
      auto known =
          co_await store_.get(definition->type, {resource::namespace_of(object), owner.name});
      if (!known || !resource::has_finalizer(**known, kForeground)) continue;
      co_await finish_foreground({0, WatchEvent::Type::kModified, definition->type.group,
                                  definition->type.plural, *known, nullptr});
    }
    co_return;
  }
  if (!resource::is_being_deleted(object)) co_return;
  if (change.plural == "namespaces" && change.group.empty()) {
    co_await empty_namespace(resource::name_of(object));
  }
  if (resource::has_finalizer(object, kForeground)) co_await finish_foreground(change);
  if (resource::has_finalizer(object, kOrphan)) co_await orphan_dependents(change);
}

Task<void> Collector::collect_dependents(std::string owner_uid) {
  const auto dependents = read_dependents(reader_, owner_uid);
  if (!dependents) co_return;
  for (const RowKey& row : *dependents) {
    const auto object = read_object(reader_, row);
    if (!object || !*object) continue;
    const auto owners = resource::owners_of(**object);
    const bool all_gone = std::ranges::all_of(owners, [&](const resource::OwnerReference& owner) {
      return owner.uid == owner_uid || !uid_exists(reader_, owner.uid).value_or(true);
    });
    if (all_gone) co_await remove_row(row);
  }
}

// Foreground: dependents first; the owner goes when none is left.
Task<void> Collector::finish_foreground(Change change) {
  const std::string uid = resource::uid_of(*change.object);
  const auto dependents = read_dependents(reader_, uid);
  if (!dependents) co_return;
  for (const RowKey& row : *dependents) co_await remove_row(row);
  const auto left = read_dependents(reader_, uid);
  if (left && left->empty()) co_await drop_finalizer(std::move(change), std::string(kForeground));
}

Task<void> Collector::orphan_dependents(Change change) {
  const std::string uid = resource::uid_of(*change.object);
  const auto dependents = read_dependents(reader_, uid);
  if (!dependents) co_return;
  for (const RowKey& row : *dependents) {
    const auto object = read_object(reader_, row);
    if (!object || !*object) continue;
    Json next = **object;
    Json kept = Json::array();
    for (const Json& owner : next["metadata"]["ownerReferences"]) {
      if (base::string_at(owner, {"uid"}) != uid) kept.push_back(owner);
    }
    next["metadata"]["ownerReferences"] = std::move(kept);
    (void)co_await store_.update(type_of(row), std::move(next), {});
  }
  co_await drop_finalizer(std::move(change), std::string(kOrphan));
}

Task<void> Collector::empty_namespace(std::string ns) {
  const auto contents = read_namespace_contents(reader_, ns);
  if (!contents) co_return;
  for (const RowKey& row : *contents) co_await remove_row(row);
  const auto left = read_namespace_contents(reader_, ns);
  if (!left || !left->empty()) co_return;  // finalizers hold the rest; their end asks again
  auto object = co_await store_.get(resource::kNamespaces, {"", ns});
  if (!object) co_return;
  co_await drop_finalizer({0, WatchEvent::Type::kModified, "", "namespaces", *object, nullptr},
                          std::string(kNamespaceFinalizer));
}

Task<void> Collector::drop_finalizer(Change change, std::string finalizer) {
  const resource::Type type = type_of({change.group, change.plural, {}});
  const resource::ObjectKey key = resource::key_of(*change.object);
  for (int attempt = 0; attempt < 5; ++attempt) {
    auto current = co_await store_.get(type, key);
    if (!current) co_return;
    Json next = **current;
    if (!resource::remove_finalizer(next, finalizer)) co_return;
    const auto updated = co_await store_.update(type, std::move(next), {});
    if (updated || updated.error().code != Code::kConflict) co_return;
  }
}

Task<void> Collector::sweep() {
  auto namespaces = co_await store_.list(resource::kNamespaces, {});
  if (namespaces) {
    for (const auto& object : namespaces->items) {
      if (resource::is_being_deleted(*object)) co_await empty_namespace(resource::name_of(*object));
    }
  }
  std::vector<std::string> orphaned;
  {
    auto statement = reader_.prepare(
        "SELECT DISTINCT owner_uid FROM owners WHERE owner_uid NOT IN (SELECT uid FROM objects)");
    while (statement.step().value_or(false)) orphaned.emplace_back(statement.text(0));
  }
  for (const std::string& uid : orphaned) co_await collect_dependents(uid);
}

}  // namespace hearth::store
