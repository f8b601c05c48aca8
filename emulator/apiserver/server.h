// The store's HTTP face: what kubectl, client libraries and `hearth` itself talk to.
#pragma once

#include <functional>
#include <string>

#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/http/exchange.h"
#include "platform/resource/definition.h"
#include "platform/resource/store.h"

namespace hearth::apiserver {

struct LogOptions {
  std::string container;
  bool follow = false;
  bool previous = false;
  bool timestamps = false;
  std::optional<std::int64_t> tail_lines;
  std::optional<std::int64_t> since_seconds;
  std::optional<std::int64_t> limit_bytes;
};

// Sends a pod's log to the sink, piece by piece; ends when the sink fails.
using LogSink = std::function<Task<Status>(std::string_view)>;
using LogReader = std::function<Task<Status>(resource::ObjectPtr pod, LogOptions, LogSink)>;

struct ServerOptions {
  std::string token;  // bearer token of the administrator
  // Subjects of client certificates are trusted when TLS verified them.
  std::string server_address;  // host:port for discovery
};

class ApiServer {
 public:
  // Lives on the store's loop; references outlive it.
  ApiServer(resource::Store& store, resource::DefinitionRegistry& definitions,
            const base::Clock& clock, LogReader logs, ServerOptions options);

  Task<void> handle(http::Exchange& exchange);

 private:
  struct Request;
  bool authorized(http::Exchange& exchange) const;
  Task<void> answer(http::Exchange& exchange);
  Task<void> resource_request(Request& request);
  Task<void> get_object(Request& request);
  Task<void> list_objects(Request& request);
  Task<void> watch_objects(Request& request);
  Task<void> create_object(Request& request);
  Task<void> update_object(Request& request);
  Task<void> patch_object(Request& request);
  Task<void> delete_object(Request& request);
  Task<void> delete_collection(Request& request);
  Task<void> pod_log(Request& request);
  Task<Result<Json>> read_body(Request& request);
  Result<resource::WriteOptions> write_options(Request& request);
  Task<void> send_object(Request& request, int status, resource::ObjectPtr object);

  resource::Store& store_;
  resource::DefinitionRegistry& definitions_;
  const base::Clock& clock_;
  LogReader logs_;
  ServerOptions options_;
};

}  // namespace hearth::apiserver
