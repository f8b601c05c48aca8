// The Kubernetes objects that a function becomes, the same in both worlds but for endpoints. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "platform/base/json.h"
#include "platform/lambda/build_plan.h"
#include "platform/lambda/function.h"

namespace hearth::lambda {

struct RenderSettings {
  std::string kaniko_image = "gcr.io/kaniko-project/executor:v1.24.0";
  std::string init_image = "alpine:3.19";
  bool insecure_registry = true;
  bool dev = false;  // HEARTH_DEV=1: stacks in replies
  // Contexts over limits::kConfigMapContextBytesMax: the reference's bucket, and where Kaniko finds
  // it. The Secret is looked up in the function's namespace.
  std::string context_bucket = "lambda-functions";
  std::string context_endpoint = "http://minio.minio.svc.cluster.local:9000";
  std::string context_secret = "minio-credentials";
};

// On a Job: the URI of the context in its bucket; deleted when the Job has ended.
inline constexpr std::string_view kContextAnnotation = "lambda.knative.io/context-uri";

// "{name}-build-{hash10}", "-{attempt}" behind it from the second on; at most 63 characters.
std::string build_job_name(const std::string& function, const std::string& hash,
                           std::int64_t attempt);
std::string build_context_name(const std::string& function);
std::string trigger_name(const std::string& function);

// Below which a function's large contexts are kept: "build-contexts/{namespace}/{name}/".
std::string context_prefix(const std::string& ns, const std::string& function);
// "s3://{bucket}/{prefix}{hash}.tar.gz" for a context that a ConfigMap can't hold; empty for
// others.
std::string context_uri(const Json& function, const BuildPlan& plan,
                        const RenderSettings& settings);

Json render_build_context(const Json& function, const BuildPlan& plan);
Json render_build_job(const Json& function, const FunctionSpec& spec, const BuildPlan& plan,
                      std::int64_t attempt, const RenderSettings& settings);
// `handler`: the resolved one; empty for image sources.
Json render_service(const Json& function, const FunctionSpec& spec, const std::string& image,
                    const std::string& handler, const RenderSettings& settings);
// The functions of a namespace share it: what one of them wishes is not in it.
Json render_broker(const std::string& ns, const FunctionSpec& spec);
Json render_trigger(const Json& function, const FunctionSpec& spec);
// Function pods run under it; it has no rights.
Json render_service_account(const std::string& ns);

}  // namespace hearth::lambda
