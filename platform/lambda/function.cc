#include "platform/lambda/function.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/text.h"
#include "platform/resource/object.h"

namespace hearth::lambda {

using base::bool_at;
using base::find;
using base::int_at;
using base::string_at;

namespace {

std::vector<std::string> strings_at(const Json& value,
                                    std::initializer_list<std::string_view> path) {
  std::vector<std::string> out;
  const Json* list = find(value, path);
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : *list) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

SourceType parse_type(const std::string& text) {
  if (text == "minio") return SourceType::kMinio;
  if (text == "s3") return SourceType::kS3;
  if (text == "gcs") return SourceType::kGcs;
  if (text == "git") return SourceType::kGit;
  if (text == "image") return SourceType::kImage;
  return SourceType::kInline;
}

std::string image_reference(const Json& image) {
  const std::string repository = string_at(image, {"repository"});
  const std::string digest = string_at(image, {"digest"});
  if (!digest.empty()) return repository + "@" + digest;
  return repository + ":" + string_at(image, {"tag"}, "latest");
}

// By themselves or as references; both may stand in one list.
std::vector<std::string> names_at(const Json& value, std::initializer_list<std::string_view> path) {
  std::vector<std::string> out;
  const Json* list = find(value, path);
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : *list) {
    std::string name = item.is_string() ? item.get<std::string>() : string_at(item, {"name"});
    if (!name.empty()) out.push_back(std::move(name));
  }
  return out;
}

Source parse_source(const Json& spec) {
  Source out;
  const std::string type = string_at(spec, {"source", "type"});
  out.type = parse_type(type);
  const Json* part = find(spec, {"source", type});
  if (part == nullptr) return out;
  out.code = string_at(*part, {"code"});
  out.dependencies = string_at(*part, {"dependencies"});
  out.endpoint = string_at(*part, {"endpoint"});
  out.region = string_at(*part, {"region"}, "us-east-1");
  out.bucket = string_at(*part, {"bucket"});
  out.key = string_at(*part, {"key"});
  out.url = string_at(*part, {"url"});
  out.ref = string_at(*part, {"ref"}, "main");
  out.path = string_at(*part, {"path"});
  out.secret = string_at(*part, {"secretRef", "name"});
  out.port = int_at(*part, {"port"}).value_or(8080);
  out.command = strings_at(*part, {"command"});
  out.args = strings_at(*part, {"args"});
  out.pull_policy = string_at(*part, {"pullPolicy"});
  out.pull_secrets = names_at(*part, {"imagePullSecrets"});
  if (out.type == SourceType::kImage) out.image = image_reference(*part);
  return out;
}

// Decision 5: 64Mi/50m requested, 128Mi/100m limit when unset.
Json resources_of(const Json& spec, const char* field, const char* memory, const char* cpu) {
  return {{"memory", string_at(spec, {"resources", field, "memory"}, memory)},
          {"cpu", string_at(spec, {"resources", field, "cpu"}, cpu)}};
}

Scaling parse_scaling(const Json& spec) {
  Scaling out;
  out.min_replicas = int_at(spec, {"scaling", "minReplicas"}).value_or(0);
  out.max_replicas = int_at(spec, {"scaling", "maxReplicas"}).value_or(50);
  out.target_concurrency = int_at(spec, {"scaling", "targetConcurrency"}).value_or(10);
  // Decision 3: 10 unless set; a larger target would otherwise never be reached.
  out.container_concurrency = int_at(spec, {"scaling", "containerConcurrency"})
                                  .value_or(std::max<std::int64_t>(10, out.target_concurrency));
  out.scale_to_zero_grace_period = string_at(spec, {"scaling", "scaleToZeroGracePeriod"}, "30s");
  return out;
}

std::optional<Retries> parse_retries(const Json& spec) {
  const auto attempts = int_at(spec, {"eventing", "dlq", "retryMaxAttempts"});
  const std::string delay = string_at(spec, {"eventing", "dlq", "retryBackoffDelay"});
  if (!attempts && delay.empty()) return std::nullopt;
  Retries out;
  if (attempts) out.max_attempts = *attempts;
  if (!delay.empty()) out.backoff_delay = delay;
  return out;
}

// By itself or as a reference's name.
bool names_secret(const Json& value) {
  return value.is_string() ? value != Json("") : !string_at(value, {"name"}).empty();
}

// Known by the names that Kubernetes and the schema give such fields, wherever they stand: a field
// that a later schema adds is found, too.
bool is_privileged(const std::string& field, const Json& value) {
  if (field == "serviceAccountName" || field == "imagePullSecret") {
    return value.is_string() && value != Json("");
  }
  if (field == "imagePullSecrets") return std::ranges::any_of(value, names_secret);
  if (field == "secretKeyRef" || field.ends_with("secretRef") || field.ends_with("SecretRef")) {
    return names_secret(value);
  }
  return field == "url" && value.is_string() &&
         base::lower(value.get_ref<const std::string&>()).starts_with("file:");
}

std::optional<std::string> find_privileged(const Json& value, const std::string& path) {
  if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (auto found = find_privileged(value[i], fmt::format("{}[{}]", path, i))) return found;
    }
  }
  if (!value.is_object()) return std::nullopt;
  for (const auto& [field, item] : value.items()) {
    std::string at = fmt::format("{}.{}", path, field);
    if (is_privileged(field, item)) return at;
    if (auto found = find_privileged(item, at)) return found;
  }
  return std::nullopt;
}

}  // namespace

bool uses_broker(const Json& object, std::string_view broker) {
  return bool_at(object, {"spec", "eventing", "enabled"}).value_or(true) &&
         string_at(object, {"spec", "eventing", "brokerName"}, kDefaultBroker) == broker;
}

std::optional<std::string> privileged_field(const Json& object) {
  const Json* spec = find(object, {"spec"});
  return spec != nullptr ? find_privileged(*spec, "spec") : std::nullopt;
}

FunctionSpec parse_function(const Json& object) {
  FunctionSpec out;
  const Json* found = find(object, {"spec"});
  const Json spec = found != nullptr ? *found : Json::object();
  out.source = parse_source(spec);
  out.language = string_at(spec, {"runtime", "language"});
  out.version = string_at(spec, {"runtime", "version"});
  out.handler = string_at(spec, {"runtime", "handler"});
  out.scaling = parse_scaling(spec);
  out.requests = resources_of(spec, "requests", "64Mi", "50m");
  out.limits = resources_of(spec, "limits", "128Mi", "100m");
  if (const Json* env = find(spec, {"env"}); env != nullptr && env->is_array()) out.env = *env;
  out.eventing_enabled = bool_at(spec, {"eventing", "enabled"}).value_or(true);
  out.broker_name = string_at(spec, {"eventing", "brokerName"}, kDefaultBroker);
  out.retries = parse_retries(spec);
  out.parallelism = int_at(spec, {"eventing", "rabbitmq", "parallelism"}).value_or(10);
  out.build_timeout = string_at(spec, {"build", "timeout"}, "30m");
  out.force_rebuild = bool_at(spec, {"build", "forceRebuild"}).value_or(false);
  out.image_pull_policy = string_at(spec, {"imagePullPolicy"}, out.source.pull_policy);
  out.service_account = string_at(spec, {"serviceAccountName"});
  return out;
}

std::string_view source_type_name(SourceType type) {
  switch (type) {
    case SourceType::kInline:
      return "inline";
    case SourceType::kMinio:
      return "minio";
    case SourceType::kS3:
      return "s3";
    case SourceType::kGcs:
      return "gcs";
    case SourceType::kGit:
      return "git";
    case SourceType::kImage:
      return "image";
  }
  return "inline";
}

}  // namespace hearth::lambda
