#include "emulator/apiserver/writes.h"

#include <fmt/format.h>

#include "emulator/apiserver/delete_options.h"
#include "emulator/apiserver/status_error.h"
#include "platform/base/text.h"

namespace hearth::apiserver {

using namespace resource;

namespace {

// The body must agree with the path.
Status agree_with_path(Json& object, const Definition& definition, const ApiPath& path) {
  if (!object.is_object()) return fail(Code::kBadRequest, "the body is not an object");
  const std::string kind = base::string_at(object, {"kind"});
  if (!kind.empty() && kind != definition.type.kind) {
    return fail(Code::kBadRequest, fmt::format("{} in version \"{}\" cannot be handled as a {}",
                                               kind, path.version, definition.type.kind));
  }
  if (!object.contains("metadata") || object["metadata"].is_null()) {
    object["metadata"] = Json::object();
  }
  Json& metadata = object["metadata"];
  if (!metadata.is_object()) return fail(Code::kBadRequest, "metadata is not an object");
  const std::string ns = base::string_at(metadata, {"namespace"});
  if (definition.type.namespaced) {
    if (!ns.empty() && ns != path.ns) {
      return fail(Code::kBadRequest,
                  "the namespace of the provided object does not match the "
                  "namespace sent on the request");
    }
    metadata["namespace"] = path.ns;
  } else {
    metadata.erase("namespace");
  }
  const std::string name = base::string_at(metadata, {"name"});
  if (!path.name.empty()) {
    if (!name.empty() && name != path.name) {
      return fail(Code::kBadRequest, fmt::format("the name of the object ({}) does not match the "
                                                 "name on the URL ({})",
                                                 name, path.name));
    }
    metadata["name"] = path.name;
  }
  return {};
}

std::optional<PatchType> patch_type(std::string_view content_type) {
  content_type = base::trim(content_type.substr(0, content_type.find(';')));
  if (content_type == "application/json-patch+json") return PatchType::kJson;
  if (content_type == "application/merge-patch+json") return PatchType::kMerge;
  if (content_type == "application/strategic-merge-patch+json") return PatchType::kStrategic;
  if (content_type == "application/apply-patch+yaml") return PatchType::kApply;
  return std::nullopt;
}

}  // namespace

Task<void> create_object(Request& request) {
  auto body = co_await read_body(request);
  auto options = write_options(request);
  Status fits = !body      ? Status(fail(body.error()))
                : !options ? Status(fail(options.error()))
                           : agree_with_path(*body, *request.definition, request.path);
  if (fits && request.definition->type.namespaced && request.path.ns.empty()) {
    fits = fail(Code::kBadRequest, "an empty namespace may not be set during creation");
  }
  if (!fits) {
    co_await send_error(request.exchange, fits.error(), request.definition.get());
    co_return;
  }
  const std::string name = name_of(*body);
  auto created = co_await request.backend.store.create(request.type(), std::move(*body), *options);
  if (created)
    co_await send_object(request, 201, *created);
  else
    co_await send_error(request.exchange, created.error(), request.definition.get(), name);
}

Task<void> update_object(Request& request) {
  auto body = co_await read_body(request);
  auto options = write_options(request);
  Status fits = !body      ? Status(fail(body.error()))
                : !options ? Status(fail(options.error()))
                           : agree_with_path(*body, *request.definition, request.path);
  auto updated =
      fits ? co_await request.backend.store.update(request.type(), std::move(*body), *options)
           : Result<ObjectPtr>(fail(fits.error()));
  co_await send_result(request, 200, std::move(updated));
}

namespace {

// Server-side apply says who applies; only it may be forced.
Status set_apply_options(const Request& request, PatchType type, WriteOptions& options) {
  const bool apply = type == PatchType::kApply;
  if (request.query.has("force") && !apply) {
    return fail(Code::kInvalid,
                "PatchOptions.meta.k8s.io \"\" is invalid: force: Forbidden: may not be specified "
                "for non-apply patch");
  }
  if (apply && request.query.get("fieldManager").empty()) {
    return fail(Code::kInvalid,
                "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is "
                "required for apply patch");
  }
  options.force = request.query.flag("force");
  return {};
}

Task<Result<ObjectPtr>> patched_object(Request& request, bool& created) {
  const auto type = patch_type(request.exchange.request().headers.get_or("content-type", ""));
  if (!type) {
    co_return fail(
        Code::kUnsupported,
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, "
        "application/strategic-merge-patch+json, application/apply-patch+yaml");
  }
  HEARTH_CO_TRY(options, write_options(request));
  HEARTH_CO_CHECK_OK(set_apply_options(request, *type, options));
  options.created = &created;
  HEARTH_CO_TRY(body, co_await read_body(request));
  if (*type == PatchType::kApply) {
    HEARTH_CO_CHECK_OK(agree_with_path(body, *request.definition, request.path));
  }
  co_return co_await request.backend.store.patch(request.type(), request.key(), *type,
                                                 std::move(body), options);
}

}  // namespace

Task<void> patch_object(Request& request) {
  bool created = false;
  auto patched = co_await patched_object(request, created);
  co_await send_result(request, created ? 201 : 200, std::move(patched));
}

Task<void> delete_object(Request& request) {
  Json body = Json::object();
  if (request.exchange.has_body()) {
    auto read = co_await read_body(request);
    if (!read) {
      co_await send_error(request.exchange, read.error(), request.definition.get());
      co_return;
    }
    if (read->is_object()) body = std::move(*read);
  }
  auto options = delete_options(body, request.query);
  auto removed =
      options ? co_await request.backend.store.remove(request.type(), request.key(), *options)
              : Result<Deleted>(fail(options.error()));
  if (!removed) {
    co_await send_error(request.exchange, removed.error(), request.definition.get(),
                        request.path.name);
  } else if (removed->gone) {
    co_await send_json(request.exchange, 200,
                       success_status(*request.definition, *removed->object));
  } else {
    co_await send_object(request, 200, removed->object);
  }
}

Task<void> delete_collection(Request& request) {
  ListOptions options{.ns = request.path.ns,
                      .label_selector = request.query.get("labelSelector"),
                      .field_selector = request.query.get("fieldSelector")};
  // An unknown field matches nothing, and its negation everything: nothing is deleted by either.
  const Status selectable = check_field_selector(*request.definition, options.field_selector);
  auto list = selectable ? co_await request.backend.store.list(request.type(), options)
                         : Result<List>(fail(selectable.error()));
  if (!list) {
    co_await send_error(request.exchange, list.error(), request.definition.get());
    co_return;
  }
  Json items = Json::array();
  for (const ObjectPtr& object : list->items) {
    if (co_await request.backend.store.remove(request.type(), key_of(*object), {}))
      items.push_back(*object);
  }
  co_await send_json(request.exchange, 200,
                     {{"kind", request.definition->list_kind},
                      {"apiVersion", request.type().api_version()},
                      {"metadata", {{"resourceVersion", std::to_string(list->resource_version)}}},
                      {"items", std::move(items)}});
}

}  // namespace hearth::apiserver
