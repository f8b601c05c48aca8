#include "platform/lambda/ignored_fields.h"

#include <array>
#include <span>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "platform/base/text.h"
#include "platform/resource/object.h"

namespace hearth::lambda {

using resource::EventNote;
using resource::EventType;

namespace {

struct Field {
  std::string_view path;
  std::string_view usual = {};  // as JSON: the schema's default, or what holds anyway
};

struct Group {
  std::span<const Field> fields;
  std::string_view instead;
};

constexpr auto kBuild = std::to_array<Field>({{"spec.build.registry"},
                                              {"spec.build.registryType", R"("local")"},
                                              {"spec.build.repository"},
                                              {"spec.build.tag"},
                                              {"spec.build.awsRegion"},
                                              {"spec.build.insecure", "false"}});
constexpr auto kBuildSecret = std::to_array<Field>({{"spec.build.imagePullSecret"}});
constexpr auto kProject = std::to_array<Field>({{"spec.source.gcs.project"}});
constexpr auto kTriggerList = std::to_array<Field>({{"spec.triggers"}});
constexpr auto kNames = std::to_array<Field>({{"spec.eventing.resourcePrefix"},
                                              {"spec.eventing.subscriberServiceName"},
                                              {"spec.eventing.eventSource"},
                                              {"spec.eventing.eventTypes"}});
constexpr auto kRabbit = std::to_array<Field>({{"spec.eventing.rabbitmq.clusterName"},
                                               {"spec.eventing.rabbitmq.namespace"},
                                               {"spec.eventing.rabbitmq.queueType", R"("quorum")"},
                                               {"spec.eventing.rabbitmq.prefetchCount", "100"}});
constexpr auto kDeadLetters =
    std::to_array<Field>({{"spec.eventing.dlq.enabled", "true"},
                          {"spec.eventing.dlq.exchangeName", R"("lambda-dlq-exchange")"},
                          {"spec.eventing.dlq.queueName", R"("lambda-dlq-queue")"},
                          {"spec.eventing.dlq.routingKeyPrefix", R"("lambda.dlq")"},
                          {"spec.eventing.dlq.messageTTL", "604800000"},
                          {"spec.eventing.dlq.maxLength", "50000"},
                          {"spec.eventing.dlq.overflowPolicy", R"("reject-publish")"},
                          {"spec.eventing.dlq.cleanup"}});
constexpr auto kApiSource = std::to_array<Field>({{"spec.eventing.apiSource"}});
constexpr auto kObservability = std::to_array<Field>({{"spec.eventing.monitoring"},
                                                      {"spec.observability.tracing"},
                                                      {"spec.observability.metrics"},
                                                      {"spec.observability.logging"},
                                                      {"spec.observability.logfire"}});

constexpr auto kGroups = std::to_array<Group>({
    {kBuild,
     "images are NAMESPACE/NAME:HASH of the installation's registry, in a cluster that of hearth "
     "operator --push-registry"},
    {kBuildSecret,
     "name the Secret in imagePullSecrets of a ServiceAccount, and that in "
     "spec.serviceAccountName"},
    {kProject, "a bucket's name is enough to find it"},
    {kTriggerList,
     "apply Triggers (eventing.knative.dev/v1) whose subscriber is the function's Knative Service"},
    {kNames,
     "names and types of events are fixed; for others apply Triggers (eventing.knative.dev/v1) of "
     "your own"},
    {kRabbit,
     "the Broker is made as one of the default class; for another apply the Broker itself before "
     "the function"},
    {kDeadLetters,
     "dead letters are always kept, see hearth dlq; in a cluster apply the Broker itself, with a "
     "deadLetterSink, before the function"},
    {kApiSource,
     "in a cluster apply an ApiServerSource (sources.knative.dev/v1) whose sink is the Broker"},
    {kObservability,
     "functions serve /metrics and pass traceparent on; set spec.env for what their libraries "
     "read, LOG_LEVEL=debug for more in the log"},
});

const Json* find_path(const Json& object, std::string_view path) {
  const Json* at = &object;
  for (const std::string_view part : base::split(path, '.')) {
    if (!at->is_object()) return nullptr;
    const auto it = at->find(std::string(part));
    if (it == at->end()) return nullptr;
    at = &*it;
  }
  return at;
}

bool asks_for_something(const Json& value, std::string_view usual) {
  if (value.is_null() || value == Json("")) return false;
  if (value.is_structured() && value.empty()) return false;
  if (value.is_object() && !base::bool_at(value, {"enabled"}).value_or(true)) return false;
  return value.dump() != usual;
}

EventNote note_of(const std::string& names, std::string_view instead) {
  return {EventType::kWarning, "FieldIgnored", fmt::format("{}: not read; {}", names, instead), {}};
}

std::string names_asked_for(const Json& function, const Group& group) {
  std::string out;
  for (const Field& field : group.fields) {
    const Json* value = find_path(function, field.path);
    if (value == nullptr || !asks_for_something(*value, field.usual)) continue;
    out += (out.empty() ? "" : ", ") + std::string(field.path);
  }
  return out;
}

std::string annotations_asked_for(const Json& function) {
  std::string out;
  for (const char* name :
       {"lambda.knative.io/use-operator-image", "lambda.knative.io/receiver-mode"}) {
    if (resource::annotation_of(function, name) != "true") continue;
    out += (out.empty() ? "annotation " : ", ") + std::string(name);
  }
  return out;
}

}  // namespace

std::vector<EventNote> ignored_field_notes(const Json& function) {
  std::vector<EventNote> out;
  for (const Group& group : kGroups) {
    const std::string names = names_asked_for(function, group);
    if (!names.empty()) out.push_back(note_of(names, group.instead));
  }
  const std::string annotations = annotations_asked_for(function);
  if (!annotations.empty()) {
    out.push_back(note_of(annotations,
                          "Hearth takes commands itself, at POST /events of the gateway, in a "
                          "cluster with hearth operator --commands; delete the function"));
  }
  return out;
}

}  // namespace hearth::lambda
