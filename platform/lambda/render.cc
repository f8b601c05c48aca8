#include "platform/lambda/render.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "platform/base/bytes.h"
#include "platform/base/limits.h"
#include "platform/base/quantity.h"
#include "platform/base/random_id.h"
#include "platform/resource/object.h"
#include "platform/resource/well_known.h"

namespace hearth::lambda {

namespace {

Json labels_for(const std::string& function, const char* component) {
  return {{"app.kubernetes.io/name", function},
          {"app.kubernetes.io/component", component},
          {"app.kubernetes.io/managed-by", kManagedBy},
          {std::string(kNameLabel), function}};
}

Json owned(const resource::Type& type, const Json& function, const std::string& name,
           const char* component) {
  Json object = resource::new_object(type, {resource::namespace_of(function), name});
  object["metadata"]["labels"] = labels_for(resource::name_of(function), component);
  resource::set_controller(object, function);
  return object;
}

Json extract_container(const RenderSettings& settings) {
  return {{"name", "extract-context"},
          {"image", settings.init_image},
          {"command", {"sh", "-c", "tar -xzf /build-context/context.tar.gz -C /workspace"}},
          {"resources",
           {{"requests", {{"cpu", "100m"}, {"memory", "128Mi"}}},
            {"limits", {{"cpu", "500m"}, {"memory", "256Mi"}}}}},
          {"volumeMounts",
           {{{"name", "build-context"}, {"mountPath", "/build-context"}},
            {{"name", "workspace"}, {"mountPath", "/workspace"}}}}};
}

// `uri`: where the context is when it isn't in the workspace.
Json kaniko_container(const BuildPlan& plan, const std::string& uri,
                      const RenderSettings& settings) {
  Json args = uri.empty() ? Json{"--dockerfile=/workspace/Dockerfile", "--context=dir:///workspace"}
                          : Json{"--dockerfile=Dockerfile", "--context=" + uri};
  args.push_back("--destination=" + plan.push_image);
  args.push_back("--cache=true");
  args.push_back("--reproducible");
  if (settings.insecure_registry) {
    for (const char* flag : {"--insecure", "--insecure-pull", "--skip-tls-verify"}) {
      args.push_back(flag);
    }
  }
  return {{"name", "kaniko"},
          {"image", settings.kaniko_image},
          {"args", std::move(args)},
          {"resources",
           {{"requests", {{"cpu", "500m"}, {"memory", "1Gi"}}},
            {"limits", {{"cpu", "2"}, {"memory", "4Gi"}}}}}};
}

// The context in a ConfigMap: an init container unpacks it into the workspace.
Json workspace_pod(const BuildPlan& plan, const std::string& function,
                   const RenderSettings& settings) {
  Json kaniko = kaniko_container(plan, "", settings);
  kaniko["volumeMounts"] = {{{"name", "workspace"}, {"mountPath", "/workspace"}}};
  return {{"initContainers", Json::array({extract_container(settings)})},
          {"containers", Json::array({std::move(kaniko)})},
          {"volumes",
           {{{"name", "build-context"}, {"configMap", {{"name", build_context_name(function)}}}},
            {{"name", "workspace"}, {"emptyDir", Json::object()}}}}};
}

// The context in a bucket: Kaniko fetches it itself. Its environment says what it needs to know for
// a store that is not Amazon's.
Json bucket_pod(const BuildPlan& plan, const std::string& uri, const RenderSettings& settings) {
  const auto secret = [&](const char* variable, const char* key) {
    return Json{{"name", variable},
                {"valueFrom",
                 {{"secretKeyRef",
                   {{"name", settings.context_secret}, {"key", key}, {"optional", true}}}}}};
  };
  Json kaniko = kaniko_container(plan, uri, settings);
  kaniko["env"] = {{{"name", "S3_ENDPOINT"}, {"value", settings.context_endpoint}},
                   {{"name", "S3_FORCE_PATH_STYLE"}, {"value", "true"}},
                   {{"name", "AWS_REGION"}, {"value", "us-east-1"}},
                   secret("AWS_ACCESS_KEY_ID", "accesskey"),
                   secret("AWS_SECRET_ACCESS_KEY", "secretkey")};
  return {{"containers", Json::array({std::move(kaniko)})}};
}

// spec.env: value and valueFrom as they are; HANDLER first, so that the user's own wins.
Json environment(const Json& function, const FunctionSpec& spec, const std::string& handler,
                 const RenderSettings& settings) {
  Json env = Json::array();
  if (!handler.empty()) env.push_back({{"name", "HANDLER"}, {"value", handler}});
  if (spec.source.type != SourceType::kImage) {
    env.push_back({{"name", "FUNCTION_NAME"}, {"value", resource::name_of(function)}});
    env.push_back({{"name", "FUNCTION_NAMESPACE"}, {"value", resource::namespace_of(function)}});
  }
  if (resource::annotation_of(function, kReplyAnnotation) == "bare") {
    env.push_back({{"name", "HEARTH_REPLY"}, {"value", "bare"}});
  }
  if (settings.dev) env.push_back({{"name", "HEARTH_DEV"}, {"value", "1"}});
  for (const Json& item : spec.env) env.push_back(item);
  return env;
}

Json revision_annotations(const FunctionSpec& spec) {
  Json out{{"autoscaling.knative.dev/class", "kpa.autoscaling.knative.dev"},
           {"autoscaling.knative.dev/metric", "concurrency"},
           {"autoscaling.knative.dev/min-scale", std::to_string(spec.scaling.min_replicas)},
           {"autoscaling.knative.dev/max-scale", std::to_string(spec.scaling.max_replicas)},
           {"autoscaling.knative.dev/target", std::to_string(spec.scaling.target_concurrency)}};
  // The reference ignored the field; Knative's name for "keep the last pod this long".
  if (spec.scaling.scale_to_zero_grace_period != "30s") {
    out["autoscaling.knative.dev/scale-to-zero-pod-retention-period"] =
        spec.scaling.scale_to_zero_grace_period;
  }
  return out;
}

Json container_of(const Json& function, const FunctionSpec& spec, const std::string& image,
                  const std::string& handler, const RenderSettings& settings) {
  const bool is_image = spec.source.type == SourceType::kImage;
  Json container{
      {"name", "user-container"},
      {"image", image},
      {"ports", {{{"containerPort", is_image ? spec.source.port : 8080}, {"protocol", "TCP"}}}},
      {"env", environment(function, spec, handler, settings)},
      {"resources", {{"requests", spec.requests}, {"limits", spec.limits}}},
      {"readinessProbe",
       {{"httpGet", {{"path", is_image ? "/health" : "/readyz"}}}, {"periodSeconds", 10}}}};
  const std::string policy = spec.image_pull_policy;
  container["imagePullPolicy"] = !policy.empty() ? policy : is_image ? "IfNotPresent" : "Always";
  if (!spec.source.command.empty()) container["command"] = spec.source.command;
  if (!spec.source.args.empty()) container["args"] = spec.source.args;
  return container;
}

Json pull_secrets_of(const Source& source) {
  Json out = Json::array();
  for (const std::string& name : source.pull_secrets) out.push_back({{"name", name}});
  return out;
}

// The variable's last literal value, as the instance will see it; 0 when it is no number of
// seconds.
double timeout_seconds_of(const Json& env) {
  double out = 0;
  for (const Json& item : env) {
    if (base::string_at(item, {"name"}) != "TIMEOUT_SECONDS") continue;
    const std::string text = base::string_at(item, {"value"});
    double seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const bool is_number = error == std::errc() && end == text.data() + text.size();
    out = is_number && std::isfinite(seconds) ? seconds : 0;
  }
  return out;
}

// The wrapper's own limit can't end a handler that keeps its thread; the revision's can. It is a
// second longer: the wrapper's answer spares the other requests of its instance.
void set_timeout(Json& pod, const FunctionSpec& spec) {
  const double seconds = timeout_seconds_of(spec.env);
  if (spec.source.type == SourceType::kImage || seconds <= 0) return;
  constexpr double kTimeoutSecondsMax = 600;  // Knative's max-revision-timeout-seconds
  pod["timeoutSeconds"] =
      static_cast<std::int64_t>(std::min(std::ceil(seconds) + 1, kTimeoutSecondsMax));
}

// `retry` counts the attempts after the first.
Json delivery_of(const Retries& retries) {
  return {{"retry", retries.max_attempts - 1},
          {"backoffPolicy", "exponential"},
          {"backoffDelay", retries.backoff_delay}};
}

}  // namespace

std::string build_job_name(const std::string& function, const std::string& hash,
                           std::int64_t attempt) {
  std::string suffix = "-build-" + hash.substr(0, 10);
  if (attempt > 1) suffix += fmt::format("-{}", attempt);
  return function.substr(0, 63 - suffix.size()) + suffix;
}

std::string build_context_name(const std::string& function) { return function + "-build-context"; }
std::string trigger_name(const std::string& function) { return function + "-trigger"; }

std::string context_prefix(const std::string& ns, const std::string& function) {
  return fmt::format("build-contexts/{}/{}/", ns, function);
}

std::string context_uri(const Json& function, const BuildPlan& plan,
                        const RenderSettings& settings) {
  if (plan.context_tar_gz.size() <= limits::kConfigMapContextBytesMax) return {};
  return fmt::format("s3://{}/{}{}.tar.gz", settings.context_bucket,
                     context_prefix(resource::namespace_of(function), resource::name_of(function)),
                     plan.hash);
}

Json render_build_context(const Json& function, const BuildPlan& plan) {
  Json object = owned(resource::kConfigMaps, function,
                      build_context_name(resource::name_of(function)), "lambda");
  object["metadata"]["annotations"] = {{"lambda.knative.io/content-hash", plan.hash}};
  object["binaryData"] = {{"context.tar.gz", base::base64(plan.context_tar_gz)}};
  return object;
}

Json render_build_job(const Json& function, const FunctionSpec& spec, const BuildPlan& plan,
                      std::int64_t attempt, const RenderSettings& settings) {
  const std::string name = resource::name_of(function);
  Json job = owned(resource::kJobs, function, build_job_name(name, plan.hash, attempt), "lambda");
  job["metadata"]["labels"]["lambda.knative.io/build"] = "true";
  job["metadata"]["annotations"] = {{"lambda.knative.io/image-uri", plan.push_image},
                                    {"lambda.knative.io/pull-uri", plan.pull_image},
                                    {"lambda.knative.io/content-hash", plan.hash}};
  const auto timeout =
      base::parse_go_duration(spec.build_timeout).value_or(std::chrono::minutes(30));
  const std::string uri = context_uri(function, plan, settings);
  if (!uri.empty()) job["metadata"]["annotations"][std::string(kContextAnnotation)] = uri;
  Json pod = uri.empty() ? workspace_pod(plan, name, settings) : bucket_pod(plan, uri, settings);
  pod["restartPolicy"] = "Never";
  pod["automountServiceAccountToken"] = false;
  job["spec"] = {
      {"backoffLimit", 0},
      {"ttlSecondsAfterFinished", 3600},
      {"activeDeadlineSeconds",
       std::max<std::int64_t>(1,
                              std::chrono::duration_cast<std::chrono::seconds>(timeout).count())},
      {"template",
       {{"metadata", {{"labels", job["metadata"]["labels"]}}}, {"spec", std::move(pod)}}}};
  return job;
}

Json render_service(const Json& function, const FunctionSpec& spec, const std::string& image,
                    const std::string& handler, const RenderSettings& settings) {
  Json service = owned(resource::kKnativeServices, function, resource::name_of(function), "lambda");
  service["metadata"]["annotations"] = {{"lambda.knative.io/runtime", spec.language},
                                        {"lambda.knative.io/version", spec.version}};
  // Knative refuses more (container-concurrency-max-limit).
  constexpr std::int64_t kConcurrencyMax = 1000;
  Json pod{{"containerConcurrency", std::min(spec.scaling.container_concurrency, kConcurrencyMax)},
           {"containers", Json::array({container_of(function, spec, image, handler, settings)})},
           {"automountServiceAccountToken", !spec.service_account.empty()},
           {"serviceAccountName",
            spec.service_account.empty() ? "knative-lambda-function" : spec.service_account}};
  if (!spec.source.pull_secrets.empty()) pod["imagePullSecrets"] = pull_secrets_of(spec.source);
  set_timeout(pod, spec);
  service["spec"] = {{"template",
                      {{"metadata",
                        {{"labels", labels_for(resource::name_of(function), "lambda")},
                         {"annotations", revision_annotations(spec)}}},
                       {"spec", std::move(pod)}}}};
  return service;
}

Json render_broker(const std::string& ns, const FunctionSpec& spec) {
  Json broker = resource::new_object(resource::kBrokers, {ns, spec.broker_name});
  broker["metadata"]["labels"] = {{"app.kubernetes.io/component", "broker"},
                                  {"app.kubernetes.io/managed-by", kManagedBy}};
  broker["spec"] = {{"delivery", delivery_of({})}};
  return broker;
}

Json render_trigger(const Json& function, const FunctionSpec& spec) {
  const std::string name = resource::name_of(function);
  Json trigger = owned(resource::kTriggers, function, trigger_name(name), "trigger");
  trigger["metadata"]["annotations"] = {
      {"rabbitmq.eventing.knative.dev/parallelism", std::to_string(spec.parallelism)},
      {"hearth.local/subject-match", "function"}};
  // Decision 2: `name` and `ns/name`, only for invoke types, never for replies (no loop, B-40).
  const std::string qualified = resource::namespace_of(function) + "/" + name;
  trigger["spec"] = {
      {"broker", spec.broker_name},
      {"filters",
       {{{"prefix", {{"type", "io.knative.lambda.invoke."}}}},
        {{"any", {{{"exact", {{"subject", name}}}}, {{"exact", {{"subject", qualified}}}}}}}}},
      {"subscriber",
       {{"ref",
         {{"apiVersion", "serving.knative.dev/v1"},
          {"kind", "Service"},
          {"name", name},
          {"namespace", resource::namespace_of(function)}}}}}};
  // In place of the Broker's, but for its deadLetterSink, which still holds.
  if (spec.retries) trigger["spec"]["delivery"] = delivery_of(*spec.retries);
  return trigger;
}

Json render_service_account(const std::string& ns) {
  Json account = resource::new_object(resource::kServiceAccounts, {ns, "knative-lambda-function"});
  account["metadata"]["labels"] = {{"app.kubernetes.io/managed-by", kManagedBy}};
  account["automountServiceAccountToken"] = false;
  return account;
}

}  // namespace hearth::lambda
