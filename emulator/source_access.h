// What functions are built from, as the daemon reads and writes it: objects and archives of
// buckets, git repositories, and build contexts too large for a ConfigMap.
//
// Lives on the control loop; unpacking and reading of repositories run on the pool.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "emulator/workloads/job_controller.h"
#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/lambda/git_source.h"
#include "platform/lambda/source.h"
#include "platform/s3/client.h"

namespace hearth::async {
class BlockingPool;
class Loop;
}  // namespace hearth::async

namespace hearth::emulator {

class SourceAccess {
 public:
  // `scratch` is where archives and repositories are unpacked; `credentials` those of the embedded
  // store, access key to secret.
  SourceAccess(async::Loop& loop, http::Client& client, async::BlockingPool& pool,
               base::Clock& clock, std::filesystem::path scratch,
               std::map<std::string, std::string> credentials);

  // Where the embedded store answers: locations without an endpoint mean it.
  void use_embedded_store(std::string endpoint);
  void set_credentials(std::map<std::string, std::string> credentials);

  Task<Result<lambda::SourceTree>> fetch_objects(lambda::ObjectLocation location);
  // Empty for other stores: nobody tells of what is written there.
  Task<Result<std::string>> version_of_objects(lambda::ObjectLocation location);
  Task<Result<lambda::SourceTree>> fetch_git(lambda::GitLocation location);
  Task<Result<std::string>> fetch_context(workloads::BucketContext context);
  // Makes the bucket when there is none.
  Task<Status> put_context(std::string bucket, std::string key, std::string bytes);
  Task<Status> remove_contexts(std::string bucket, std::string prefix);
  // Ends the clones of repositories. Nobody may be waiting for one any more.
  Task<void> stop();

 private:
  bool is_embedded(const lambda::ObjectLocation& location) const;
  Result<s3::Client> client_for(const lambda::ObjectLocation& location);

  http::Client& client_;
  async::BlockingPool& pool_;
  base::Clock& clock_;
  std::filesystem::path scratch_;
  lambda::GitSource git_;
  std::map<std::string, std::string> credentials_;
  std::string embedded_store_;
};

}  // namespace hearth::emulator
