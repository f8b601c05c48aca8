#include "emulator/apiserver/server.h"

#include <algorithm>

#include "emulator/apiserver/access_review.h"
#include "emulator/apiserver/discovery.h"
#include "emulator/apiserver/openapi.h"
#include "emulator/apiserver/openapi_v2.h"
#include "emulator/apiserver/reads.h"
#include "emulator/apiserver/scale.h"
#include "emulator/apiserver/status_error.h"
#include "emulator/apiserver/watches.h"
#include "emulator/apiserver/writes.h"
#include "platform/base/text.h"

namespace hearth::apiserver {

using namespace resource;

namespace {

// What describes the API rather than being part of it: discovery and OpenAPI.
std::optional<Document> description(const DefinitionRegistry& definitions, const std::string& path,
                                    std::string_view accept, const std::string& server_address) {
  if (path == "/api" || path == "/api/") return core_versions(definitions, accept, server_address);
  if (path == "/apis" || path == "/apis/") return groups(definitions, accept);
  if (path == "/openapi/v2") {
    return Document{"application/octet-stream", openapi_v2_document(definitions)};
  }
  const auto parts = base::split(std::string_view(path).substr(1), '/');
  const auto part = [&](std::size_t at) { return std::string(parts[at]); };
  std::optional<Json> out;
  if (path == "/openapi/v3") out = openapi_root(definitions);
  if (parts.size() == 4 && path.starts_with("/openapi/v3/api/")) {
    out = openapi_document(definitions, "", part(3));
  }
  if (parts.size() == 5 && path.starts_with("/openapi/v3/apis/")) {
    out = openapi_document(definitions, part(3), part(4));
  }
  if (parts.size() == 2 && parts[0] == "api") out = resource_list(definitions, "", part(1));
  if (parts.size() == 2 && parts[0] == "apis") out = group_document(definitions, part(1));
  if (parts.size() == 3 && parts[0] == "apis") out = resource_list(definitions, part(1), part(2));
  if (!out) return std::nullopt;
  return Document{"application/json", base::dump_json(*out) + "\n"};
}

Task<void> send_method_not_allowed(http::Exchange& exchange) {
  Json status = status_object(
      {Code::kBadRequest, "the server does not allow this method on the requested resource", {}},
      nullptr, "");
  status["reason"] = "MethodNotAllowed";
  status["code"] = 405;
  co_await send_json(exchange, 405, status);
}

Task<void> collection_request(Request& request) {
  const std::string& method = request.exchange.request().method;
  const bool watch = request.path.legacy_watch || request.query.flag("watch");
  if (method == "GET") co_return co_await (watch ? watch_objects(request) : list_objects(request));
  if (method == "POST") co_return co_await create_object(request);
  if (method == "DELETE") co_return co_await delete_collection(request);
  co_await send_method_not_allowed(request.exchange);
}

Task<void> object_request(Request& request) {
  const std::string& method = request.exchange.request().method;
  if (method == "GET") co_return co_await get_object(request);
  if (method == "PUT") co_return co_await update_object(request);
  if (method == "PATCH") co_return co_await patch_object(request);
  if (method == "DELETE" && request.path.subresource.empty()) {
    co_return co_await delete_object(request);
  }
  co_await send_method_not_allowed(request.exchange);
}

}  // namespace

ApiServer::ApiServer(Store& store, DefinitionRegistry& definitions, const base::Clock& clock,
                     LogReader logs, ServerOptions options)
    : backend_{store, definitions, clock, std::move(logs), options.token},
      options_(std::move(options)) {}

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
  auto user = authenticate(exchange, options_.token);
  if (user)
    co_await answer(exchange, std::move(*user));
  else
    co_await send_error(exchange, user.error());
}

Task<void> ApiServer::answer(http::Exchange& exchange, User user) {
  const std::string path(exchange.request().path());
  const std::string_view accept = exchange.request().headers.get_or("accept", "");
  if (const auto document =
          description(backend_.definitions, path, accept, options_.server_address)) {
    (void)co_await exchange.respond(200, document->content_type, document->body);
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
  Request request{backend_, exchange, std::move(user), std::move(**parsed), std::move(*query),
                  nullptr,  {}};
  co_await resource_request(request);
}

Task<void> ApiServer::resource_request(Request& request) {
  const ApiPath& path = request.path;
  request.definition = backend_.definitions.find(path.group, path.plural);
  if (!request.definition || std::ranges::find(request.definition->versions, path.version) ==
                                 request.definition->versions.end()) {
    co_return co_await send_error(request.exchange, not_served());
  }
  if (request.definition->is_review) co_return co_await review_access(request);
  const std::string& method = request.exchange.request().method;
  const bool pods = path.group.empty() && path.plural == "pods";
  if (path.subresource == "log" && pods && method == "GET") {
    co_return co_await send_pod_log(request);
  }
  if (path.subresource == "scale" && request.definition->scale) {
    co_return co_await scale_request(request);
  }
  const bool plain = path.subresource.empty() ||
                     (request.status_subresource() && request.definition->has_status) ||
                     (path.subresource == "finalize" && path.plural == "namespaces");
  if (!plain) {
    co_return co_await send_error(request.exchange, not_served(), request.definition.get(),
                                  path.name);
  }
  co_await (path.name.empty() ? collection_request(request) : object_request(request));
}

}  // namespace hearth::apiserver
