#include "platform/resource/store.h"

namespace hearth::resource {
namespace {

constexpr int kConflictRetries = 5;  // client-go: RetryOnConflict

void merge_map(Json& target, const Json* from) {
  if (from == nullptr || !from->is_object()) return;
  if (!target.is_object()) target = Json::object();
  target.update(*from);
}

// What `current` becomes so that all of `wanted` holds.
Json merged(const Json& current, const Json& wanted) {
  Json next = current;
  for (const char* map : {"labels", "annotations"}) {
    const Json* from = base::find(wanted, {"metadata", map});
    if (from != nullptr) merge_map(next["metadata"][map], from);
  }
  if (const Json* owners = base::find(wanted, {"metadata", "ownerReferences"}); owners != nullptr) {
    next["metadata"]["ownerReferences"] = *owners;
  }
  for (const auto& [key, value] : wanted.items()) {
    if (key != "metadata" && key != "status") next[key] = value;
  }
  return next;
}

}  // namespace

Task<Result<ObjectPtr>> apply(Store& store, Type type, Json object) {
  const ObjectKey key = key_of(object);
  for (int attempt = 0;; ++attempt) {
    auto current = co_await store.get(type, key);
    if (!current && current.error().code == Code::kNotFound) {
      auto created = co_await store.create(type, object, {});
      if (created || created.error().code != Code::kAlreadyExists || attempt >= kConflictRetries) {
        co_return created;
      }
      continue;
    }
    if (!current) co_return current;
    Json next = merged(**current, object);
    if (next == **current) co_return current;
    auto updated = co_await store.update(type, std::move(next), {});
    if (updated || updated.error().code != Code::kConflict || attempt >= kConflictRetries) {
      co_return updated;
    }
  }
}

Task<Status> update_status(Store& store, Type type, ObjectKey key, Json status) {
  for (int attempt = 0;; ++attempt) {
    HEARTH_CO_TRY(current, co_await store.get(type, key));
    const Json* known = base::find(*current, {"status"});
    if (known != nullptr && *known == status) co_return Status();
    Json next = *current;
    next["status"] = status;
    auto updated =
        co_await store.update(type, std::move(next), {.subresource = Subresource::kStatus});
    if (updated) co_return Status();
    if (updated.error().code != Code::kConflict || attempt >= kConflictRetries) {
      co_return fail(updated.error());
    }
  }
}

}  // namespace hearth::resource
