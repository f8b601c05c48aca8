#include "platform/lambda/ignored_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/base/yaml.h"
#include "platform/lambda/status_note.h"

namespace hearth::lambda {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Json function(const std::string& spec) {
  Json object = base::parse_yaml("metadata: {name: hello, generation: 1}").value();
  object["spec"] = base::parse_yaml(spec).value();
  return object;
}

// What stands before the colon of each note.
std::vector<std::string> ignored(const Json& object) {
  std::vector<std::string> out;
  for (const auto& note : ignored_field_notes(object)) {
    EXPECT_EQ(note.reason, "FieldIgnored");
    EXPECT_EQ(note.type, resource::EventType::kWarning);
    EXPECT_LE(note.message.size(), resource::kEventMessageBytesMax);
    out.push_back(note.message.substr(0, note.message.find(':')));
  }
  return out;
}

TEST(IgnoredFields, AreNamedTogetherWhenTheSameHelps) {
  EXPECT_THAT(ignored(function("build: {registry: ghcr.io, tag: v1, insecure: true, timeout: 5m}")),
              ElementsAre("spec.build.registry, spec.build.tag, spec.build.insecure"));
  EXPECT_THAT(
      ignored(function("build: {imagePullSecret: ghcr}\n"
                       "source: {gcs: {project: p}}\n"
                       "triggers: [{broker: default}]\n")),
      ElementsAre("spec.build.imagePullSecret", "spec.source.gcs.project", "spec.triggers"));
  EXPECT_THAT(ignored(function("eventing: {rabbitmq: {clusterName: r, parallelism: 3},\n"
                               "  eventTypes: {invokeSync: mine}, apiSource: {enabled: true}}\n")),
              ElementsAre("spec.eventing.eventTypes", "spec.eventing.rabbitmq.clusterName",
                          "spec.eventing.apiSource"));
  EXPECT_THAT(
      ignored(function("observability: {tracing: {endpoint: 'a:1'}, logging: {level: warn}}")),
      ElementsAre("spec.observability.tracing, spec.observability.logging"));
}

TEST(IgnoredFields, SayWhatToDoInstead) {
  const auto notes = ignored_field_notes(function("triggers: [{broker: default}]"));
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_THAT(notes[0].message, HasSubstr("apply Triggers"));
}

TEST(IgnoredFields, AreNotWhatTheSchemaFillsIn) {
  EXPECT_THAT(
      ignored(function(
          "build: {registryType: local, timeout: 30m}\n"
          "eventing:\n"
          "  rabbitmq: {queueType: quorum, parallelism: 10, prefetchCount: 100}\n"
          "  dlq: {enabled: true, exchangeName: lambda-dlq-exchange, queueName: lambda-dlq-queue,\n"
          "    routingKeyPrefix: lambda.dlq, retryMaxAttempts: 5, retryBackoffDelay: PT1S,\n"
          "    messageTTL: 604800000, maxLength: 50000, overflowPolicy: reject-publish}\n")),
      IsEmpty());
}

TEST(IgnoredFields, AreNotWhatIsSwitchedOff) {
  EXPECT_THAT(
      ignored(function("eventing: {apiSource: {enabled: false}, monitoring: {enabled: false},\n"
                       "  dlq: {cleanup: {enabled: false, interval: 1h}}}\n"
                       "observability: {tracing: {enabled: false, samplingRate: '1.0'}}\n"
                       "triggers: []\n")),
      IsEmpty());
}

TEST(IgnoredFields, AreDeadLettersThatNobodyWants) {
  EXPECT_THAT(ignored(function("eventing: {dlq: {enabled: false, maxLength: 7}}")),
              ElementsAre("spec.eventing.dlq.enabled, spec.eventing.dlq.maxLength"));
}

TEST(IgnoredFields, AreTheReceiversAnnotations) {
  Json object = function("{}");
  object["metadata"]["annotations"] = {{"lambda.knative.io/receiver-mode", "true"},
                                       {"lambda.knative.io/use-operator-image", "false"}};
  EXPECT_THAT(ignored(object), ElementsAre("annotation lambda.knative.io/receiver-mode"));
}

TEST(IgnoredFields, AreToldOnceAGeneration) {
  Json before = function("triggers: [{broker: default}]");
  Json after = before;
  after["status"]["observedGeneration"] = 1;
  EXPECT_EQ(status_notes(before, after).size(), 1U);
  EXPECT_TRUE(status_notes(after, after).empty());
  before = after;
  before["metadata"]["generation"] = after["metadata"]["generation"] = 2;
  EXPECT_EQ(status_notes(before, after).size(), 1U);
}

}  // namespace
}  // namespace hearth::lambda
