#include "emulator/apiserver/server.h"

#include <algorithm>

#include <fmt/format.h>
#include <poll.h>

#include "emulator/apiserver/api_path.h"
#include "emulator/apiserver/delete_options.h"
#include "emulator/apiserver/discovery.h"
#include "emulator/apiserver/openapi.h"
#include "emulator/apiserver/protobuf.h"
#include "emulator/apiserver/status_error.h"
#include "emulator/apiserver/table_view.h"
#include "platform/async/deadline.h"
#include "platform/base/hash.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/base/yaml.h"
#include "platform/http/stream.h"
#include "platform/resource/selector.h"
#include "platform/resource/well_known.h"

namespace hearth::apiserver {

using namespace resource;

struct ApiServer::Request {
  http::Exchange& exchange;
  ApiPath path;
  Query query;
  DefinitionPtr definition;
  std::vector<std::string> warnings;

  Type type() const {
    Type type = definition->type;
    type.version = path.version;
    return type;
  }
  ObjectKey key() const { return {path.ns, path.name}; }
  bool status_subresource() const { return path.subresource == "status"; }
};

namespace {

constexpr std::chrono::seconds kBookmarkInterval{60};
constexpr std::chrono::seconds kDeadPeerCheck{5};

Task<void> send_json(http::Exchange& exchange, int status, const Json& body,
                     std::string_view content_type = "application/json") {
  (void)co_await exchange.respond(status, content_type, base::dump_json(body) + "\n");
}

Task<void> send_error(http::Exchange& exchange, const Error& error,
                      const Definition* definition = nullptr, std::string_view name = {}) {
  co_await send_json(exchange, http_status(error), status_object(error, definition, name));
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

// Served under another version than it is stored: only the name of the version differs.
ObjectPtr in_version(const ObjectPtr& object, const Type& type) {
  const std::string wanted = type.api_version();
  if (base::string_at(*object, {"apiVersion"}) == wanted) return object;
  Json copy = *object;
  copy["apiVersion"] = wanted;
  return std::make_shared<const Json>(std::move(copy));
}

ObjectPtr metadata_only(const Json& object) {
  return std::make_shared<const Json>(Json{{"kind", "PartialObjectMetadata"},
                                           {"apiVersion", "meta.k8s.io/v1"},
                                           {"metadata", object["metadata"]}});
}

Error not_served() {
  return {Code::kNotFound, "the server could not find the requested resource", {}};
}

// Which fields a kind's field selectors may name (spec/kubernetes-api.md §2.4).
Status check_field_selector(const Definition& definition, const std::string& text) {
  HEARTH_TRY(selector, FieldSelector::parse(text));
  for (const std::string& field : selector.fields()) {
    const bool common = field == "metadata.name" || field == "metadata.namespace";
    if (common || !definition.is_custom) continue;
    return fail(Code::kBadRequest,
                fmt::format("field label not supported: \"{}\" is not a known field selector: only "
                            "\"metadata.name\", \"metadata.namespace\"",
                            field));
  }
  return {};
}

bool peer_is_gone(int fd) {
  pollfd entry{fd, POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace

ApiServer::ApiServer(Store& store, DefinitionRegistry& definitions, const base::Clock& clock,
                     LogReader logs, ServerOptions options)
    : store_(store),
      definitions_(definitions),
      clock_(clock),
      logs_(std::move(logs)),
      options_(std::move(options)) {}

bool ApiServer::authorized(http::Exchange& exchange) const {
  const std::string_view header = exchange.request().headers.get_or("authorization", "");
  if (header.starts_with("Bearer ")) {
    return base::equal_constant_time(header.substr(7), options_.token);
  }
  // TLS has verified the chain to our own authority.
  return exchange.stream().tls_peer_subject().contains("O=system:masters");
}

Task<void> ApiServer::handle(http::Exchange& exchange) {
  const std::string_view path = exchange.request().path();
  if (path == "/healthz" || path == "/livez" || path == "/readyz") {
    (void)co_await exchange.respond(200, "text/plain", "ok");
    co_return;
  }
  if (path == "/version") {
    co_await send_json(exchange, 200, version_document());
    co_return;
  }
  if (!authorized(exchange)) {
    const bool anonymous = !exchange.request().headers.contains("authorization");
    const Error error =
        anonymous ? Error{Code::kForbidden,
                          fmt::format("forbidden: User \"system:anonymous\" cannot {} path \"{}\"",
                                      base::lower(exchange.request().method), path),
                          {}}
                  : Error{Code::kUnauthorized, "Unauthorized", {}};
    co_await send_error(exchange, error);
    co_return;
  }
  co_await answer(exchange);
}

Task<void> ApiServer::answer(http::Exchange& exchange) {
  const std::string path(exchange.request().path());
  const std::string_view accept = exchange.request().headers.get_or("accept", "");
  const auto parts = base::split(std::string_view(path).substr(1), '/');
  std::optional<Json> document;
  if (path == "/api" || path == "/api/") {
    const Document core = core_versions(definitions_, accept, options_.server_address);
    (void)co_await exchange.respond(200, core.content_type, core.body);
    co_return;
  }
  if (path == "/apis" || path == "/apis/") {
    const Document all = groups(definitions_, accept);
    (void)co_await exchange.respond(200, all.content_type, all.body);
    co_return;
  }
  if (path == "/openapi/v2") {
    // A zero-byte document satisfies every kubectl's apply and create (spec §1.3).
    (void)co_await exchange.respond(200, "application/octet-stream", "");
    co_return;
  }
  if (path == "/openapi/v3") document = openapi_root(definitions_);
  if (parts.size() == 4 && path.starts_with("/openapi/v3/api/")) {
    document = openapi_document(definitions_, "", std::string(parts[3]));
  }
  if (parts.size() == 5 && path.starts_with("/openapi/v3/apis/")) {
    document = openapi_document(definitions_, std::string(parts[3]), std::string(parts[4]));
  }
  if (parts.size() == 2 && parts[0] == "api") {
    document = resource_list(definitions_, "", std::string(parts[1]));
  }
  if (parts.size() == 2 && parts[0] == "apis") {
    document = group_document(definitions_, std::string(parts[1]));
  }
  if (parts.size() == 3 && parts[0] == "apis") {
    document = resource_list(definitions_, std::string(parts[1]), std::string(parts[2]));
  }
  if (document) {
    co_await send_json(exchange, 200, *document);
    co_return;
  }
  auto parsed = parse_api_path(path);
  auto query = Query::parse(exchange.request().query());
  if (!parsed || !query) {
    co_await send_error(exchange, parsed ? query.error() : parsed.error());
    co_return;
  }
  if (!*parsed) {
    (void)co_await exchange.respond(404, "text/plain; charset=utf-8", "404 page not found\n");
    co_return;
  }
  Request request{exchange, std::move(**parsed), std::move(*query), nullptr, {}};
  co_await resource_request(request);
}

Task<void> ApiServer::resource_request(Request& request) {
  const ApiPath& path = request.path;
  request.definition = definitions_.find(path.group, path.plural);
  if (!request.definition || std::ranges::find(request.definition->versions, path.version) ==
                                 request.definition->versions.end()) {
    co_await send_error(request.exchange, not_served());
    co_return;
  }
  const std::string& method = request.exchange.request().method;
  const bool pods = path.group.empty() && path.plural == "pods";
  if (path.subresource == "log" && pods && method == "GET") {
    co_await pod_log(request);
    co_return;
  }
  const bool plain = path.subresource.empty() ||
                     (request.status_subresource() && request.definition->has_status) ||
                     (path.subresource == "finalize" && path.plural == "namespaces");
  if (!plain) {
    co_await send_error(request.exchange, not_served(), request.definition.get(), path.name);
    co_return;
  }
  if (path.name.empty()) {
    const bool watch = path.legacy_watch || request.query.flag("watch");
    if (method == "GET")
      co_await (watch ? watch_objects(request) : list_objects(request));
    else if (method == "POST")
      co_await create_object(request);
    else if (method == "DELETE")
      co_await delete_collection(request);
  } else {
    if (method == "GET")
      co_await get_object(request);
    else if (method == "PUT")
      co_await update_object(request);
    else if (method == "PATCH")
      co_await patch_object(request);
    else if (method == "DELETE")
      co_await delete_object(request);
  }
  if (request.exchange.responded()) co_return;
  Json status = status_object({Code::kBadRequest,
                               "the server does not allow this method on the "
                               "requested resource",
                               {}},
                              nullptr, "");
  status["reason"] = "MethodNotAllowed";
  status["code"] = 405;
  co_await send_json(request.exchange, 405, status);
}

Task<void> ApiServer::send_object(Request& request, int status, ObjectPtr object) {
  object = in_version(object, request.type());
  Json body;
  if (wants_table(request.exchange)) {
    body = table_of(*request.definition, {object}, include_object(request.query), clock_.wall());
  } else {
    body = wants_metadata(request.exchange) ? *metadata_only(*object) : *object;
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

Task<void> ApiServer::get_object(Request& request) {
  auto object = co_await store_.get(request.type(), request.key());
  if (object)
    co_await send_object(request, 200, *object);
  else
    co_await send_error(request.exchange, object.error(), request.definition.get(),
                        request.path.name);
}

Task<void> ApiServer::list_objects(Request& request) {
  const auto limit = request.query.integer("limit").value_or(0);
  ListOptions options{.ns = request.path.ns,
                      .label_selector = request.query.get("labelSelector"),
                      .field_selector = request.query.get("fieldSelector"),
                      .limit = limit > 0 ? static_cast<std::size_t>(limit) : 0,
                      .continue_token = request.query.get("continue")};
  Status selectable = check_field_selector(*request.definition, options.field_selector);
  auto list = selectable ? co_await store_.list(request.type(), options)
                         : Result<List>(fail(selectable.error()));
  if (!list) {
    co_await send_error(request.exchange, list.error(), request.definition.get());
    co_return;
  }
  Json metadata{{"resourceVersion", std::to_string(list->resource_version)}};
  if (!list->continue_token.empty()) metadata["continue"] = list->continue_token;
  Json body;
  if (wants_table(request.exchange)) {
    for (ObjectPtr& item : list->items) item = in_version(item, request.type());
    body = table_of(*request.definition, list->items, include_object(request.query), clock_.wall());
    body["metadata"] = std::move(metadata);
  } else {
    const bool partial = wants_metadata(request.exchange);
    body = {{"kind", partial ? "PartialObjectMetadataList" : request.definition->list_kind},
            {"apiVersion", partial ? "meta.k8s.io/v1" : request.type().api_version()},
            {"metadata", std::move(metadata)},
            {"items", Json::array()}};
    for (const ObjectPtr& item : list->items) {
      body["items"].push_back(partial ? *metadata_only(*item) : *in_version(item, request.type()));
    }
  }
  co_await send_json(request.exchange, 200, body);
}

namespace {

// The state of one watch response.
struct WatchResponse {
  http::Exchange& exchange;
  const Definition& definition;
  Type type;
  bool table = false;
  bool partial = false;
  bool bookmarks = false;
  bool initial_end_wanted = false;
  bool columns_sent = false;
  IncludeObject include = IncludeObject::kMetadata;
  std::uint64_t version = 0;
};

const char* event_name(WatchEvent::Type type) {
  switch (type) {
    case WatchEvent::Type::kAdded:
      return "ADDED";
    case WatchEvent::Type::kModified:
      return "MODIFIED";
    case WatchEvent::Type::kDeleted:
      return "DELETED";
    case WatchEvent::Type::kBookmark:
      return "BOOKMARK";
  }
  return "ERROR";
}

Task<Status> send_event(WatchResponse& watch, const char* type, const Json& object) {
  co_return co_await watch.exchange.write(base::dump_json({{"type", type}, {"object", object}}) +
                                          "\n");
}

Task<Status> send_bookmark(WatchResponse& watch, bool initial_end) {
  Json object{
      {"kind", watch.definition.type.kind},
      {"apiVersion", watch.type.api_version()},
      {"metadata",
       {{"resourceVersion", std::to_string(watch.version)}, {"creationTimestamp", nullptr}}}};
  if (initial_end) object["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
  co_return co_await send_event(watch, "BOOKMARK", object);
}

Task<Status> send_watch_event(WatchResponse& watch, WatchEvent event, base::WallTime now) {
  if (event.resource_version > watch.version) watch.version = event.resource_version;
  if (event.type == WatchEvent::Type::kBookmark) {
    if (watch.initial_end_wanted) co_return co_await send_bookmark(watch, true);
    co_return Status();
  }
  const ObjectPtr object = in_version(event.object, watch.type);
  if (watch.table) {
    Json table = table_of(watch.definition, {object}, watch.include, now);
    // Only the first event of a table watch carries the columns.
    if (watch.columns_sent) table["columnDefinitions"] = nullptr;
    watch.columns_sent = true;
    table["metadata"]["resourceVersion"] = std::to_string(event.resource_version);
    co_return co_await send_event(watch, event_name(event.type), table);
  }
  co_return co_await send_event(watch, event_name(event.type),
                                watch.partial ? *metadata_only(*object) : *object);
}

}  // namespace

Task<void> ApiServer::watch_objects(Request& request) {
  const Query& query = request.query;
  const std::string version_text = query.get("resourceVersion");
  const bool initial_events = query.flag("sendInitialEvents");
  const auto version = version_text.empty() ? std::optional<std::uint64_t>(0)
                                            : base::parse_int<std::uint64_t>(version_text);
  Status valid = check_field_selector(*request.definition, query.get("fieldSelector"));
  if (!version) valid = fail(Code::kBadRequest, "resourceVersion is no number: " + version_text);
  if (initial_events && query.get("resourceVersionMatch") != "NotOlderThan") {
    valid = fail(Code::kInvalid,
                 "resourceVersionMatch: Forbidden: sendInitialEvents requires "
                 "setting resourceVersionMatch to NotOlderThan");
  }
  if (!valid) {
    co_await send_error(request.exchange, valid.error(), request.definition.get());
    co_return;
  }
  WatchOptions options{.ns = request.path.ns,
                       .label_selector = query.get("labelSelector"),
                       .field_selector = query.get("fieldSelector"),
                       .resource_version = initial_events ? 0 : *version};
  // GET …/watch/plural/name of the legacy form watches one object.
  auto watch = co_await store_.watch(request.type(), options);
  if (!watch && watch.error().code != Code::kExpired) {
    co_await send_error(request.exchange, watch.error(), request.definition.get());
    co_return;
  }
  WatchResponse response{.exchange = request.exchange,
                         .definition = *request.definition,
                         .type = request.type(),
                         .table = wants_table(request.exchange),
                         .partial = wants_metadata(request.exchange),
                         .bookmarks = query.flag("allowWatchBookmarks"),
                         .initial_end_wanted = initial_events,
                         .include = include_object(query),
                         .version = *version};
  http::ResponseHead head;
  head.headers.add("Content-Type", "application/json");
  if (!co_await request.exchange.begin(head)) co_return;
  const auto end = clock_.monotonic() +
                   std::chrono::seconds(query.integer("timeoutSeconds").value_or(1800 + 600));
  auto next_bookmark = clock_.monotonic() + kBookmarkInterval;
  Status sent;
  if (!watch) {
    // History is gone: one ERROR event, then the end (spec §2.5).
    sent = co_await send_event(response, "ERROR", status_object(watch.error(), nullptr, ""));
  }
  while (watch && sent && clock_.monotonic() < end) {
    request.exchange.stream().never_expire();
    auto event = co_await async::with_deadline((*watch)->next(), kDeadPeerCheck);
    if (!event) {
      if (peer_is_gone(request.exchange.stream().fd())) co_return;
      if (response.bookmarks && clock_.monotonic() >= next_bookmark) {
        next_bookmark = clock_.monotonic() + kBookmarkInterval;
        sent = co_await send_bookmark(response, false);
      }
      continue;
    }
    if (!*event) {
      if (event->error().code == Code::kExpired) {
        (void)co_await send_event(response, "ERROR", status_object(event->error(), nullptr, ""));
      }
      break;
    }
    sent = co_await send_watch_event(response, std::move(**event), clock_.wall());
  }
  if (sent) (void)co_await request.exchange.finish();
}

Task<Result<Json>> ApiServer::read_body(Request& request) {
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
  co_return base::parse_json(text);
}

Result<WriteOptions> ApiServer::write_options(Request& request) {
  WriteOptions options;
  const auto dry_run = request.query.all("dryRun");
  for (const std::string& value : dry_run) {
    if (value != "All" && !value.empty()) {
      return fail(Code::kInvalid,
                  fmt::format("dryRun: Unsupported value: \"{}\": supported values: "
                              "\"All\"",
                              value));
    }
    options.dry_run = true;
  }
  const std::string validation = request.query.get("fieldValidation");
  if (validation == "Strict") options.field_validation = FieldValidation::kStrict;
  if (validation == "Warn" || validation.empty()) {
    options.field_validation = FieldValidation::kWarn;
  }
  if (request.status_subresource()) options.subresource = Subresource::kStatus;
  options.warnings = &request.warnings;
  return options;
}

namespace {

// The body must agree with the path (spec §2.1, §2.2).
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
  return std::nullopt;
}

}  // namespace

Task<void> ApiServer::create_object(Request& request) {
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
  auto created = co_await store_.create(request.type(), std::move(*body), *options);
  if (created)
    co_await send_object(request, 201, *created);
  else
    co_await send_error(request.exchange, created.error(), request.definition.get(), name);
}

Task<void> ApiServer::update_object(Request& request) {
  auto body = co_await read_body(request);
  auto options = write_options(request);
  Status fits = !body      ? Status(fail(body.error()))
                : !options ? Status(fail(options.error()))
                           : agree_with_path(*body, *request.definition, request.path);
  auto updated = fits ? co_await store_.update(request.type(), std::move(*body), *options)
                      : Result<ObjectPtr>(fail(fits.error()));
  if (updated)
    co_await send_object(request, 200, *updated);
  else
    co_await send_error(request.exchange, updated.error(), request.definition.get(),
                        request.path.name);
}

Task<void> ApiServer::patch_object(Request& request) {
  const auto type = patch_type(request.exchange.request().headers.get_or("content-type", ""));
  auto options = write_options(request);
  Result<ObjectPtr> patched =
      fail(Code::kUnsupported,
           "the body of the request was in an unknown format - accepted media types include: "
           "application/json-patch+json, application/merge-patch+json, "
           "application/strategic-merge-patch+json (server-side apply is not supported yet)");
  if (type && options) {
    auto body = co_await read_body(request);
    patched = body ? co_await store_.patch(request.type(), request.key(), *type, std::move(*body),
                                           *options)
                   : Result<ObjectPtr>(fail(body.error()));
  } else if (!options) {
    patched = fail(options.error());
  }
  if (patched)
    co_await send_object(request, 200, *patched);
  else
    co_await send_error(request.exchange, patched.error(), request.definition.get(),
                        request.path.name);
}

Task<void> ApiServer::delete_object(Request& request) {
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
  auto removed = options ? co_await store_.remove(request.type(), request.key(), *options)
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

Task<void> ApiServer::delete_collection(Request& request) {
  ListOptions options{.ns = request.path.ns,
                      .label_selector = request.query.get("labelSelector"),
                      .field_selector = request.query.get("fieldSelector")};
  auto list = co_await store_.list(request.type(), options);
  if (!list) {
    co_await send_error(request.exchange, list.error(), request.definition.get());
    co_return;
  }
  Json items = Json::array();
  for (const ObjectPtr& object : list->items) {
    if (co_await store_.remove(request.type(), key_of(*object), {})) items.push_back(*object);
  }
  co_await send_json(request.exchange, 200,
                     {{"kind", request.definition->list_kind},
                      {"apiVersion", request.type().api_version()},
                      {"metadata", {{"resourceVersion", std::to_string(list->resource_version)}}},
                      {"items", std::move(items)}});
}

namespace {

Task<Status> write_log(http::Exchange& exchange, std::string_view piece) {
  Status written = co_await exchange.write(piece);
  exchange.stream().never_expire();
  co_return written;
}

}  // namespace

Task<void> ApiServer::pod_log(Request& request) {
  auto pod = co_await store_.get(kPods, request.key());
  if (!pod) {
    co_await send_error(request.exchange, pod.error(), request.definition.get(), request.path.name);
    co_return;
  }
  const Query& query = request.query;
  LogOptions options{.container = query.get("container"),
                     .follow = query.flag("follow"),
                     .previous = query.flag("previous"),
                     .timestamps = query.flag("timestamps"),
                     .tail_lines = query.integer("tailLines"),
                     .since_seconds = query.integer("sinceSeconds"),
                     .limit_bytes = query.integer("limitBytes")};
  http::ResponseHead head;
  head.headers.add("Content-Type", "text/plain");
  http::Exchange& exchange = request.exchange;
  if (!co_await exchange.begin(head)) co_return;
  const LogSink sink = [&exchange](std::string_view piece) { return write_log(exchange, piece); };
  // A followed log may be quiet for hours.
  exchange.stream().never_expire();
  const Status sent = co_await logs_(*pod, options, sink);
  if (sent || sent.error().code == Code::kNotFound) (void)co_await exchange.finish();
}

}  // namespace hearth::apiserver
