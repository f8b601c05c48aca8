// The LambdaFunction as a typed value: what its spec says, with defaults where it says nothing.
// Parsing trusts that the object passed validation (function_validation.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"

namespace hearth::lambda {

inline constexpr std::string_view kFunctionFinalizer = "lambdafunction.lambda.knative.io/finalizer";
inline constexpr std::string_view kManagedBy = "knative-lambda-operator";
inline constexpr std::string_view kNameLabel = "lambda.knative.io/name";
inline constexpr std::string_view kRebuildAnnotation = "lambda.knative.io/rebuild-requested";
inline constexpr std::string_view kRollbackTargetAnnotation = "lambda.knative.io/rollback-target";
inline constexpr std::string_view kRollbackRequestedAnnotation =
    "lambda.knative.io/rollback-requested";
inline constexpr std::string_view kRollbackReasonAnnotation = "lambda.knative.io/rollback-reason";
inline constexpr std::string_view kReplyAnnotation = "lambda.knative.io/reply";
inline constexpr std::string_view kDefaultBroker = "lambda-broker";

enum class SourceType { kInline, kMinio, kS3, kGcs, kGit, kImage };

struct Source {
  SourceType type = SourceType::kInline;
  std::string code;                  // inline
  std::string dependencies;          // inline: text of the manifest
  std::string endpoint;              // minio; empty: the platform's own store
  std::string region;                // s3
  std::string bucket;                // minio, s3, gcs
  std::string key;                   // minio, s3, gcs; a trailing slash makes it a prefix
  std::string url;                   // git
  std::string ref;                   // git
  std::string path;                  // git
  std::string secret;                // name of the credentials' Secret
  std::string image;                 // image: repository@digest or repository:tag
  std::int64_t port = 8080;          // image
  std::vector<std::string> command;  // image
  std::vector<std::string> args;     // image
  std::string pull_policy;           // image
  // image: names of Secrets; the schema takes them by themselves and as {name}
  std::vector<std::string> pull_secrets;
};

struct Scaling {
  std::int64_t min_replicas = 0;
  std::int64_t max_replicas = 50;
  std::int64_t target_concurrency = 10;
  std::int64_t container_concurrency = 10;
  std::string scale_to_zero_grace_period = "30s";
};

// How often an event is tried in all, and the wait before the second time; it doubles.
struct Retries {
  std::int64_t max_attempts = 5;
  std::string backoff_delay = "PT1S";
};

struct FunctionSpec {
  Source source;
  std::string language;
  std::string version;
  std::string handler;  // empty: the language's default
  Scaling scaling;
  Json requests;  // {memory, cpu}
  Json limits;
  Json env = Json::array();
  bool eventing_enabled = true;
  std::string broker_name{kDefaultBroker};
  std::optional<Retries> retries;  // unset: as its Broker says
  std::int64_t parallelism = 10;
  std::string build_timeout = "30m";
  bool force_rebuild = false;
  std::string image_pull_policy;  // empty: by the kind of source
  std::string service_account;
};

FunctionSpec parse_function(const Json& object);
// True when its Trigger is at that Broker of its namespace.
bool uses_broker(const Json& object, std::string_view broker);
// The first field of the spec by which the function gets what only the API's administrator may
// give away: a Secret, a ServiceAccount's token, a repository among this machine's files.
std::optional<std::string> privileged_field(const Json& object);
std::string_view source_type_name(SourceType type);

}  // namespace hearth::lambda
