// The store's HTTP face: what kubectl, client libraries and `hearth` itself talk to. Lets in who
// may come in, answers what describes the API, hands requests for resources to their verbs.
//
// Lives on the store's loop.
#pragma once

#include <string>

#include "emulator/apiserver/request.h"

namespace hearth::apiserver {

struct ServerOptions {
  std::string token;           // bearer token of the administrator
  std::string server_address;  // host:port for discovery
};

class ApiServer {
 public:
  // References outlive it.
  ApiServer(resource::Store& store, resource::DefinitionRegistry& definitions,
            const base::Clock& clock, LogReader logs, ServerOptions options);

  Task<void> handle(http::Exchange& exchange);

 private:
  Task<void> answer(http::Exchange& exchange, User user);
  Task<void> resource_request(Request& request);

  Backend backend_;
  ServerOptions options_;
};

}  // namespace hearth::apiserver
