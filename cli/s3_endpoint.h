// Which store `hearth s3` and `hearth deploy` talk to, and as whom.
#pragma once

#include <string>

#include "cli/daemon.h"
#include "cli/s3_client.h"
#include "cli/state_location.h"

namespace CLI {
class App;
}

namespace hearth::cli {

struct S3EndpointFlags {
  Target target;
  std::string endpoint;
  std::string access_key;
  std::string secret_key;
  std::string region;
};

void add_s3_endpoint_flags(CLI::App& command, S3EndpointFlags& flags);

// The endpoint of --endpoint, else AWS_ENDPOINT_URL_S3, else AWS_ENDPOINT_URL, else the daemon's.
// Keys: the flags, else the daemon's own for the daemon, AWS_ACCESS_KEY_ID and
// AWS_SECRET_ACCESS_KEY for any other: keys of a real cloud in the environment neither break nor
// reach a daemon that does not know them. kBadRequest when there are none.
Result<S3Endpoint> find_s3_endpoint(const S3EndpointFlags& flags);
// The daemon's own.
S3Endpoint store_of(const Daemon& daemon);
Result<S3Client> connect_s3(const S3EndpointFlags& flags);

}  // namespace hearth::cli
