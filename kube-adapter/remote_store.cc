#include "kube-adapter/remote_store.h"

#include <algorithm>

#include "kube-adapter/remote_watch.h"
#include "kube-adapter/resource_path.h"
#include "platform/base/text.h"

namespace hearth::kube_adapter {

using namespace resource;

namespace {

constexpr std::size_t kPageBytesMax = 64 * 1024 * 1024;
// A list that expires between two pages begins again; a server that lets each one expire is ill.
constexpr int kListRestartsMax = 3;

const char* validation_name(FieldValidation validation) {
  if (validation == FieldValidation::kStrict) return "Strict";
  return validation == FieldValidation::kWarn ? "Warn" : "Ignore";
}

const char* content_type_of(PatchType type) {
  if (type == PatchType::kJson) return "application/json-patch+json";
  return type == PatchType::kMerge ? "application/merge-patch+json"
                                   : "application/strategic-merge-patch+json";
}

const char* propagation_name(DeleteOptions::Propagation propagation) {
  if (propagation == DeleteOptions::Propagation::kForeground) return "Foreground";
  return propagation == DeleteOptions::Propagation::kOrphan ? "Orphan" : "Background";
}

std::string subresource_path(const WriteOptions& options) {
  return options.subresource == Subresource::kStatus ? "/status" : "";
}

Json delete_body(const DeleteOptions& options) {
  Json body{{"kind", "DeleteOptions"},
            {"apiVersion", "v1"},
            {"propagationPolicy", propagation_name(options.propagation)}};
  if (!options.uid.empty()) body["preconditions"]["uid"] = options.uid;
  if (options.resource_version != 0) {
    body["preconditions"]["resourceVersion"] = std::to_string(options.resource_version);
  }
  if (options.dry_run) body["dryRun"] = Json::array({"All"});
  return body;
}

// The answer to a DELETE is a Status when the object is gone. The object itself means that it is
// terminating, but for a few kinds that answer with what was deleted.
Result<Deleted> deleted_from(const Type& type, const ObjectKey& key, Json answer) {
  if (base::string_at(answer, {"kind"}) == "Status") {
    Json object = new_object(type, key);
    object["metadata"]["uid"] = base::string_at(answer, {"details", "uid"});
    return Deleted{std::make_shared<const Json>(std::move(object)), true};
  }
  HEARTH_TRY(object, received_object(type, std::move(answer)));
  const Json* finalizers = base::find(*object, {"metadata", "finalizers"});
  const bool held = finalizers != nullptr && !finalizers->empty();
  const bool in_grace =
      base::int_at(*object, {"metadata", "deletionGracePeriodSeconds"}).value_or(0) > 0;
  return Deleted{object, !is_being_deleted(*object) || (!held && !in_grace)};
}

Result<List> list_from(const Type& type, Json answer) {
  List list;
  const Json* items = base::find(answer, {"items"});
  if (items != nullptr && !items->is_null() && !items->is_array()) {
    return fail(Code::kCorrupt, "the server's list has no items");
  }
  const auto version =
      base::parse_int<std::uint64_t>(base::string_at(answer, {"metadata", "resourceVersion"}));
  if (!version) return fail(Code::kCorrupt, "the server's list has no resourceVersion");
  list.resource_version = *version;
  list.continue_token = base::string_at(answer, {"metadata", "continue"});
  const auto remaining = base::int_at(answer, {"metadata", "remainingItemCount"}).value_or(0);
  list.remaining = remaining > 0 ? static_cast<std::size_t>(remaining) : 0;
  if (items == nullptr || items->is_null()) return list;
  for (Json& item : answer["items"]) {
    HEARTH_TRY(object, received_object(type, std::move(item)));
    list.items.push_back(std::move(object));
  }
  return list;
}

}  // namespace

RemoteStore::RemoteStore(ApiClient& client, RemoteStoreOptions options)
    : client_(client), options_(std::move(options)) {}

Task<Result<ObjectPtr>> RemoteStore::write(Type type, ApiRequest request, WriteOptions options) {
  request.target += query_text({{"fieldManager", options_.field_manager},
                                {"fieldValidation", validation_name(options.field_validation)},
                                {"dryRun", options.dry_run ? "All" : ""}});
  HEARTH_CO_TRY(answer, co_await client_.send(std::move(request)));
  if (options.warnings != nullptr) {
    for (std::string& text : answer.warnings) options.warnings->push_back(std::move(text));
  }
  co_return received_object(type, std::move(answer.body));
}

Task<Result<ObjectPtr>> RemoteStore::create(Type type, Json object, WriteOptions options) {
  ApiRequest request{.method = "POST",
                     .target = collection_path(type, namespace_of(object)),
                     .body = base::dump_json(object),
                     .repeat = Repeat::kForbidden};
  co_return co_await write(std::move(type), std::move(request), std::move(options));
}

Task<Result<ObjectPtr>> RemoteStore::get(Type type, ObjectKey key) {
  HEARTH_CO_TRY(answer, co_await client_.send({.target = object_path(type, key)}));
  co_return received_object(type, std::move(answer.body));
}

Task<Result<ObjectPtr>> RemoteStore::update(Type type, Json object, WriteOptions options) {
  ApiRequest request{.method = "PUT",
                     .target = object_path(type, key_of(object)) + subresource_path(options),
                     .body = base::dump_json(object)};
  co_return co_await write(std::move(type), std::move(request), std::move(options));
}

Task<Result<ObjectPtr>> RemoteStore::patch(Type type, ObjectKey key, PatchType patch_type,
                                           Json patch, WriteOptions options) {
  ApiRequest request{.method = "PATCH",
                     .target = object_path(type, key) + subresource_path(options),
                     .body = base::dump_json(patch),
                     .content_type = content_type_of(patch_type)};
  // "add to the list" done twice adds twice; merges arrive at the same object.
  if (patch_type == PatchType::kJson) request.repeat = Repeat::kForbidden;
  co_return co_await write(std::move(type), std::move(request), std::move(options));
}

Task<Result<Deleted>> RemoteStore::remove(Type type, ObjectKey key, DeleteOptions options) {
  ApiRequest request{.method = "DELETE",
                     .target = object_path(type, key),
                     .body = base::dump_json(delete_body(options))};
  HEARTH_CO_TRY(answer, co_await client_.send(std::move(request)));
  auto deleted = deleted_from(type, key, std::move(answer.body));
  if (deleted && options.dry_run) deleted->gone = false;
  co_return deleted;
}

Task<Result<List>> RemoteStore::page(Type type, ListOptions options) {
  ApiRequest request{.target = collection_path(type, options.ns) +
                               query_text({{"limit", std::to_string(options.limit)},
                                           {"continue", options.continue_token},
                                           {"labelSelector", options.label_selector},
                                           {"fieldSelector", options.field_selector}}),
                     .response_bytes_max = kPageBytesMax};
  HEARTH_CO_TRY(answer, co_await client_.send(std::move(request)));
  co_return list_from(type, std::move(answer.body));
}

Task<Result<List>> RemoteStore::all_pages(Type type, ListOptions options) {
  options.limit = options_.page_size;
  options.continue_token.clear();
  List all;
  do {
    HEARTH_CO_TRY(next, co_await page(type, options));
    all.items.insert(all.items.end(), next.items.begin(), next.items.end());
    // All pages are of the first one's version; a watch from it misses nothing.
    if (options.continue_token.empty()) all.resource_version = next.resource_version;
    options.continue_token = next.continue_token;
  } while (!options.continue_token.empty());
  co_return all;
}

Task<Result<List>> RemoteStore::list(Type type, ListOptions options) {
  if (options.limit > 0 || !options.continue_token.empty()) {
    co_return co_await page(std::move(type), std::move(options));
  }
  for (int restart = 0;; ++restart) {
    auto all = co_await all_pages(type, options);
    const bool expired = !all && all.error().code == Code::kExpired;
    if (!expired || restart == kListRestartsMax) {
      if (all) std::ranges::sort(all->items, {}, [](const ObjectPtr& o) { return key_of(*o); });
      co_return all;
    }
  }
}

Task<Result<std::unique_ptr<Watch>>> RemoteStore::watch(Type type, WatchOptions options) {
  std::deque<WatchEvent> state;
  if (options.resource_version == 0) {
    HEARTH_CO_TRY(list, co_await this->list(type, {.ns = options.ns,
                                                   .label_selector = options.label_selector,
                                                   .field_selector = options.field_selector}));
    for (const ObjectPtr& object : list.items) {
      state.push_back({WatchEvent::Type::kAdded, object, resource_version_of(*object)});
    }
    state.push_back({WatchEvent::Type::kBookmark, nullptr, list.resource_version});
    options.resource_version = list.resource_version;
  }
  co_return std::make_unique<RemoteWatch>(client_, std::move(type), std::move(options),
                                          std::move(state));
}

}  // namespace hearth::kube_adapter
