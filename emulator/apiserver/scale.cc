#include "emulator/apiserver/scale.h"

#include <fmt/format.h>

#include "emulator/apiserver/json_path.h"
#include "platform/base/text.h"
#include "platform/resource/patch.h"
#include "platform/resource/schema.h"

namespace hearth::apiserver {

using namespace resource;

namespace {

std::int64_t replicas_at(const Json& object, const std::string& path, std::int64_t fallback) {
  const Json* value = path.empty() ? nullptr : evaluate_json_path(object, path);
  return value != nullptr && value->is_number_integer() ? value->get<std::int64_t>() : fallback;
}

// Custom kinds keep the selector as text, built-in ones as a LabelSelector.
std::string selector_at(const Json& object, const std::string& path) {
  const Json* value = path.empty() ? nullptr : evaluate_json_path(object, path);
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  const Json* labels = base::find(*value, {"matchLabels"});
  std::vector<std::string> terms;
  if (labels == nullptr || !labels->is_object()) return {};
  for (const auto& [key, text] : labels->items()) {
    if (text.is_string()) terms.push_back(key + "=" + text.get<std::string>());
  }
  return base::join(terms, ",");
}

Json scale_of(const Definition& definition, const Json& object) {
  const ScalePaths& paths = *definition.scale;
  // A Deployment that names no number has one replica.
  const std::int64_t unset = definition.is_custom ? 0 : 1;
  Json metadata = Json::object();
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (const Json* value = base::find(object, {"metadata", field})) metadata[field] = *value;
  }
  Json scale{{"kind", "Scale"},
             {"apiVersion", "autoscaling/v1"},
             {"metadata", std::move(metadata)},
             {"spec", {{"replicas", replicas_at(object, paths.spec_replicas, unset)}}},
             {"status", {{"replicas", replicas_at(object, paths.status_replicas, 0)}}}};
  const std::string selector = selector_at(object, paths.selector);
  if (!selector.empty()) scale["status"]["selector"] = selector;
  return scale;
}

// {"a": {"b": value}} for ".a.b".
Json nested(std::string_view path, Json value) {
  const auto steps = base::split(path.substr(1), '.');
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    value = Json{{std::string(*step), std::move(value)}};
  }
  return value;
}

// What the client wants the Scale to be; `current` is what it is.
Result<Json> wanted_scale(const std::string& method, std::string_view content_type,
                          const Json& current, const Json& body) {
  if (method == "PUT") return body;
  if (content_type.starts_with("application/json-patch+json")) return json_patch(current, body);
  if (content_type.starts_with("application/merge-patch+json") ||
      content_type.starts_with("application/strategic-merge-patch+json")) {
    return apply_patch(PatchType::kMerge, current, body);
  }
  return fail(Code::kUnsupported,
              "the body of the request was in an unknown format - accepted media types include: "
              "application/json-patch+json, application/merge-patch+json, "
              "application/strategic-merge-patch+json");
}

Task<Result<ObjectPtr>> write_scale(Request& request, ObjectPtr current) {
  const Definition& definition = *request.definition;
  HEARTH_CO_TRY(body, co_await read_body(request));
  HEARTH_CO_TRY(options, write_options(request));
  const http::RequestHead& head = request.exchange.request();
  HEARTH_CO_TRY(wanted, wanted_scale(head.method, head.headers.get_or("content-type", ""),
                                     scale_of(definition, *current), body));
  const auto replicas = base::int_at(wanted, {"spec", "replicas"});
  if (!replicas || *replicas < 0) {
    co_return fail(invalid_object(
        "Scale.autoscaling", name_of(*current),
        {{"spec.replicas", "FieldValueInvalid", "Invalid value: must be a number of at least 0"}}));
  }
  Json patch = nested(definition.scale->spec_replicas, *replicas);
  // A version in the body is a lock, as everywhere.
  const std::string version = base::string_at(body, {"metadata", "resourceVersion"});
  if (!version.empty()) patch["metadata"]["resourceVersion"] = version;
  co_return co_await request.backend.store.patch(request.type(), request.key(), PatchType::kMerge,
                                                 std::move(patch), options);
}

}  // namespace

Task<void> scale_request(Request& request) {
  const std::string& method = request.exchange.request().method;
  auto object = co_await request.backend.store.get(request.type(), request.key());
  if (object && (method == "PUT" || method == "PATCH")) {
    object = co_await write_scale(request, *object);
  } else if (object && method != "GET") {
    object = fail(Code::kBadRequest, "a scale can be read and replaced, nothing else");
  }
  if (!object) {
    co_return co_await send_error(request.exchange, object.error(), request.definition.get(),
                                  request.path.name);
  }
  co_await send_json(request.exchange, 200, scale_of(*request.definition, **object));
}

}  // namespace hearth::apiserver
