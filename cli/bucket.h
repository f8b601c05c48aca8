// The embedded object store as commands use it: signed requests with the daemon's own credentials.
#pragma once

#include <string>
#include <vector>

#include "cli/daemon.h"
#include "cli/http_client.h"
#include "platform/base/result.h"

namespace hearth::cli {

class Bucket {
 public:
  Bucket(const Daemon& daemon, std::string name);

  // Makes the bucket when it isn't there.
  Status put(const std::string& key, std::string bytes);
  // The first thousand below the prefix.
  Result<std::vector<std::string>> list(const std::string& prefix);
  Status remove(const std::string& key);

 private:
  Result<HttpReply> send(const std::string& method, const std::string& key,
                         const std::string& query, std::string body);

  HttpClient client_;
  std::string name_;
  std::string host_;
  std::string access_key_;
  std::string secret_key_;
};

}  // namespace hearth::cli
