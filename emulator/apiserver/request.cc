#include "emulator/apiserver/request.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "emulator/apiserver/protobuf.h"
#include "emulator/apiserver/status_error.h"
#include "platform/base/json_duplicates.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/base/yaml.h"
#include "platform/resource/selector.h"
#include "platform/resource/well_known.h"

namespace hearth::apiserver {

using namespace resource;

namespace {

constexpr std::size_t kManagerCharactersMax = 128;

// Without fieldManager a client is named by its User-Agent up to the first slash.
Result<std::string> field_manager(const Request& request) {
  std::string name = request.query.get("fieldManager");
  if (name.empty()) {
    const std::string_view agent = request.exchange.request().headers.get_or("user-agent", "");
    name = std::string(agent.substr(0, std::min(agent.find('/'), kManagerCharactersMax)));
  }
  if (name.size() > kManagerCharactersMax) {
    return fail(Code::kInvalid, "fieldManager: Too long: may not be more than 128 bytes");
  }
  return name.empty() ? "unknown" : name;
}

Result<FieldValidation> field_validation(const std::string& text) {
  if (text.empty() || text == "Warn") return FieldValidation::kWarn;
  if (text == "Strict") return FieldValidation::kStrict;
  if (text == "Ignore") return FieldValidation::kIgnore;
  return fail(Code::kInvalid,
              fmt::format("fieldValidation: Unsupported value: \"{}\": supported values: "
                          "\"Ignore\", \"Warn\", \"Strict\"",
                          text));
}

// Members that stand twice: refused (Strict), reported (Warn) or passed over (Ignore).
Status check_duplicates(Request& request, std::string_view json) {
  HEARTH_TRY(validation, field_validation(request.query.get("fieldValidation")));
  if (validation == FieldValidation::kIgnore) return {};
  std::vector<std::string> texts;
  for (const std::string& path : base::duplicate_members(json)) {
    texts.push_back(fmt::format("duplicate field \"{}\"", path));
  }
  if (validation == FieldValidation::kStrict && !texts.empty()) {
    return fail(Code::kBadRequest, "strict decoding error: " + base::join(texts, ", "));
  }
  std::ranges::move(texts, std::back_inserter(request.warnings));
  return {};
}

}  // namespace

Type Request::type() const {
  Type type = definition->type;
  type.version = path.version;
  return type;
}

Task<Result<Json>> read_body(Request& request) {
  HEARTH_CO_TRY(text, co_await request.exchange.read_all(limits::kApiBodyBytesMax));
  const std::string type =
      base::lower(request.exchange.request().headers.get_or("content-type", "application/json"));
  if (type.starts_with("application/vnd.kubernetes.protobuf")) {
    co_return decode_kubernetes_protobuf(text);
  }
  if (type.starts_with("application/yaml") || type.starts_with("application/apply-patch+yaml")) {
    co_return base::parse_yaml(text);
  }
  if (!type.starts_with("application/json") && !type.contains("+json")) {
    co_return fail(Code::kUnsupported,
                   "the body of the request was in an unknown format - accepted media types "
                   "include: application/json, application/yaml, "
                   "application/vnd.kubernetes.protobuf");
  }
  HEARTH_CO_TRY(body, base::parse_json(text));
  HEARTH_CO_CHECK_OK(check_duplicates(request, text));
  co_return body;
}

Result<WriteOptions> write_options(Request& request) {
  WriteOptions options;
  for (const std::string& value : request.query.all("dryRun")) {
    if (value != "All" && !value.empty()) {
      return fail(Code::kInvalid,
                  fmt::format("dryRun: Unsupported value: \"{}\": supported values: "
                              "\"All\"",
                              value));
    }
    options.dry_run = true;
  }
  HEARTH_TRY(validation, field_validation(request.query.get("fieldValidation")));
  options.field_validation = validation;
  if (request.status_subresource()) options.subresource = Subresource::kStatus;
  HEARTH_TRY(manager, field_manager(request));
  options.field_manager = std::move(manager);
  options.warnings = &request.warnings;
  return options;
}

Task<void> send_json(http::Exchange& exchange, int status, const Json& body) {
  (void)co_await exchange.respond(status, "application/json", base::dump_json(body) + "\n");
}

Task<void> send_error(http::Exchange& exchange, const Error& error, const Definition* definition,
                      std::string_view name) {
  http::ResponseHead head{.status = http_status(error), .headers = {}};
  head.headers.add("Content-Type", "application/json");
  // client-go waits by this, not by the body's retryAfterSeconds.
  if (head.status == 503 || head.status == 429) head.headers.add("Retry-After", "1");
  (void)co_await exchange.respond(head,
                                  base::dump_json(status_object(error, definition, name)) + "\n");
}

Task<void> send_object(Request& request, int status, ObjectPtr object) {
  object = in_version(object, request.type());
  Json body;
  if (wants_table(request.exchange)) {
    body = table_of(*request.definition, {object}, include_object(request.query),
                    request.backend.clock.wall());
  } else {
    body = wants_metadata(request.exchange) ? metadata_only(*object) : *object;
  }
  http::ResponseHead head{.status = status, .headers = {}};
  head.headers.add("Content-Type", "application/json");
  for (const std::string& warning : request.warnings) {
    std::string text = base::replace_all(warning, "\\", "\\\\");
    text = base::replace_all(std::move(text), "\"", "\\\"");
    head.headers.add("Warning", fmt::format("299 - \"{}\"", text));
  }
  (void)co_await request.exchange.respond(head, base::dump_json(body) + "\n");
}

Task<void> send_result(Request& request, int status, Result<ObjectPtr> object) {
  if (object)
    co_await send_object(request, status, *object);
  else
    co_await send_error(request.exchange, object.error(), request.definition.get(),
                        request.path.name);
}

Error not_served() {
  return {Code::kNotFound, "the server could not find the requested resource", {}};
}

bool wants_table(const http::Exchange& exchange) {
  const std::string_view accept = exchange.request().headers.get_or("accept", "");
  for (const std::string_view part : base::split(accept, ',')) {
    if (part.contains("as=Table") && part.contains("g=meta.k8s.io") &&
        (part.contains("v=v1;") || part.ends_with("v=v1") || part.contains("v=v1beta1"))) {
      return true;
    }
    if (base::trim(part) == "application/json") return false;
  }
  return false;
}

bool wants_metadata(const http::Exchange& exchange) {
  return exchange.request().headers.get_or("accept", "").contains("as=PartialObjectMetadata");
}

IncludeObject include_object(const Query& query) {
  const std::string value = query.get("includeObject");
  if (value == "None") return IncludeObject::kNone;
  return value == "Object" ? IncludeObject::kObject : IncludeObject::kMetadata;
}

ObjectPtr in_version(const ObjectPtr& object, const Type& type) {
  const std::string wanted = type.api_version();
  if (base::string_at(*object, {"apiVersion"}) == wanted) return object;
  Json copy = *object;
  copy["apiVersion"] = wanted;
  return std::make_shared<const Json>(std::move(copy));
}

Json metadata_only(const Json& object) {
  return {{"kind", "PartialObjectMetadata"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", object["metadata"]}};
}

namespace {

// What Kubernetes selects by, besides name and namespace.
std::vector<std::string_view> selectable_fields(const Type& type) {
  if (type == kPods) {
    return {"spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.podIPs",
            "status.nominatedNodeName"};
  }
  if (type == kEvents) {
    return {"involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "reason",
            "involvedObject.apiVersion",
            "type",
            "involvedObject.resourceVersion",
            "source",
            "involvedObject.fieldPath",
            "reportingComponent"};
  }
  if (type == kSecrets) return {"type"};
  if (type == kNamespaces) return {"status.phase"};
  if (type == kNodes) return {"spec.unschedulable"};
  if (type == kServices) return {"spec.clusterIP", "spec.type"};
  if (type == kJobs) return {"status.successful"};
  return {};
}

}  // namespace

Status check_field_selector(const Definition& definition, const std::string& text) {
  HEARTH_TRY(selector, FieldSelector::parse(text));
  const auto selectable = selectable_fields(definition.type);
  for (const std::string& field : selector.fields()) {
    const bool common = field == "metadata.name" || field == "metadata.namespace";
    if (common || std::ranges::find(selectable, field) != selectable.end()) continue;
    return fail(Code::kBadRequest,
                fmt::format("field label not supported: \"{}\" is not a known field selector: only "
                            "\"metadata.name\", \"metadata.namespace\"{}{}",
                            field, selectable.empty() ? "" : ", ", fmt::join(selectable, ", ")));
  }
  return {};
}

}  // namespace hearth::apiserver
