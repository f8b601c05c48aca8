#include "emulator/source_access.h"

#include "platform/async/blocking.h"
#include "platform/base/limits.h"
#include "platform/lambda/object_source.h"

namespace hearth::emulator {

SourceAccess::SourceAccess(async::Loop& loop, http::Client& client, async::BlockingPool& pool,
                           base::Clock& clock, std::filesystem::path scratch,
                           std::map<std::string, std::string> credentials)
    : client_(client),
      pool_(pool),
      clock_(clock),
      scratch_(std::move(scratch)),
      git_(loop, pool, {.scratch = scratch_}),
      credentials_(std::move(credentials)) {}

void SourceAccess::use_embedded_store(std::string endpoint) {
  embedded_store_ = std::move(endpoint);
}

void SourceAccess::set_credentials(std::map<std::string, std::string> credentials) {
  credentials_ = std::move(credentials);
}

// Manifests written for a cluster name its MinIO: here that is the embedded store.
bool SourceAccess::is_embedded(const lambda::ObjectLocation& location) const {
  return location.endpoint.empty() || location.endpoint.contains("minio.minio.svc.cluster.local");
}

Result<s3::Client> SourceAccess::client_for(const lambda::ObjectLocation& location) {
  const bool own = is_embedded(location);
  std::string endpoint = own ? embedded_store_ : location.endpoint;
  if (!endpoint.contains("://")) endpoint = "http://" + endpoint;
  HEARTH_TRY(url, http::parse_url(endpoint));
  s3::ClientOptions options{.endpoint = url, .region = location.region};
  options.credentials = {location.credentials.access_key, location.credentials.secret_key};
  if (own && !credentials_.empty()) {
    const auto& [access, secret] = *credentials_.begin();
    options.credentials = {access, secret};
    options.region = "us-east-1";
  }
  return s3::Client(client_, clock_, std::move(options));
}

Task<Result<lambda::SourceTree>> SourceAccess::fetch_objects(lambda::ObjectLocation location) {
  HEARTH_CO_TRY(bucket_client, client_for(location));
  co_return co_await lambda::fetch_objects(bucket_client, pool_, scratch_, location.bucket,
                                           location.key);
}

Task<Result<std::string>> SourceAccess::version_of_objects(lambda::ObjectLocation location) {
  if (!is_embedded(location)) co_return std::string();
  HEARTH_CO_TRY(bucket_client, client_for(location));
  co_return co_await lambda::version_of_objects(bucket_client, location.bucket, location.key);
}

Task<Result<lambda::SourceTree>> SourceAccess::fetch_git(lambda::GitLocation location) {
  co_return co_await git_.fetch(std::move(location));
}

Task<void> SourceAccess::stop() { co_await git_.stop(); }

Task<Result<std::string>> SourceAccess::fetch_context(workloads::BucketContext context) {
  HEARTH_CO_TRY(bucket_client, client_for({.endpoint = context.endpoint}));
  co_return co_await bucket_client.get_object(context.bucket, context.key,
                                              limits::kContextBytesMax);
}

Task<Status> SourceAccess::put_context(std::string bucket, std::string key, std::string bytes) {
  HEARTH_CO_TRY(bucket_client, client_for({}));
  HEARTH_CO_CHECK_OK(co_await bucket_client.create_bucket(bucket));
  co_return co_await bucket_client.put_object(std::move(bucket), std::move(key), std::move(bytes),
                                              "application/gzip");
}

Task<Status> SourceAccess::remove_contexts(std::string bucket, std::string prefix) {
  HEARTH_CO_TRY(bucket_client, client_for({}));
  HEARTH_CO_TRY(found, co_await bucket_client.list(bucket, prefix));
  for (const s3::ObjectInfo& object : found) {
    HEARTH_CO_CHECK_OK(co_await bucket_client.delete_object(bucket, object.key));
  }
  co_return Status();
}

}  // namespace hearth::emulator
