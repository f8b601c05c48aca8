// One request for a resource, and what its verbs share: reading the body, the options of a write,
// the answer in the form that the client accepts.
//
// A verb is a coroutine that takes the request by reference: ApiServer::handle keeps it alive until
// the answer is out. All on the store's loop.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/apiserver/api_path.h"
#include "emulator/apiserver/authentication.h"
#include "emulator/apiserver/pod_log.h"
#include "emulator/apiserver/table_view.h"
#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/http/exchange.h"
#include "platform/resource/definition.h"
#include "platform/resource/store.h"

namespace hearth::apiserver {

// What answers come from; outlives every request.
struct Backend {
  resource::Store& store;
  resource::DefinitionRegistry& definitions;
  const base::Clock& clock;
  LogReader logs;
  std::string token;  // the administrator's
};

struct Request {
  const Backend& backend;
  http::Exchange& exchange;
  User user;
  ApiPath path;
  Query query;
  resource::DefinitionPtr definition;
  std::vector<std::string> warnings;  // become Warning headers of the answer

  resource::Type type() const;  // in the version that the path names
  resource::ObjectKey key() const { return {path.ns, path.name}; }
  bool status_subresource() const { return path.subresource == "status"; }
};

// Decodes JSON, YAML or Kubernetes' protobuf. kTooLarge, kUnsupported (another media type),
// kBadRequest.
Task<Result<Json>> read_body(Request& request);
// dryRun, fieldValidation, fieldManager, subresource. kInvalid for values that don't exist.
Result<resource::WriteOptions> write_options(Request& request);

Task<void> send_json(http::Exchange& exchange, int status, const Json& body);
Task<void> send_error(http::Exchange& exchange, const Error& error,
                      const resource::Definition* definition = nullptr, std::string_view name = {});
Task<void> send_object(Request& request, int status, resource::ObjectPtr object);
// `object` on success, else the error with the request's kind and name.
Task<void> send_result(Request& request, int status, Result<resource::ObjectPtr> object);

Error not_served();

// What the Accept header asks for instead of the object itself.
bool wants_table(const http::Exchange& exchange);
bool wants_metadata(const http::Exchange& exchange);
IncludeObject include_object(const Query& query);

// Served under another version than it is stored: only the name of the version differs.
resource::ObjectPtr in_version(const resource::ObjectPtr& object, const resource::Type& type);
Json metadata_only(const Json& object);

// Which fields a kind's field selectors may name.
Status check_field_selector(const resource::Definition& definition, const std::string& text);

}  // namespace hearth::apiserver
