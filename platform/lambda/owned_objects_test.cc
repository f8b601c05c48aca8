#include "platform/lambda/owned_objects.h"

#include <gtest/gtest.h>

#include "platform/base/yaml.h"
#include "platform/lambda/function.h"
#include "platform/lambda/lifecycle_event.h"

namespace hearth::lambda {
namespace {

Json parsed(const std::string& text) { return base::parse_yaml(text).value(); }

TEST(ServiceStatus, OfAnOlderGenerationIsNotReady) {
  Json function;
  const Json service = parsed(
      "metadata: {name: hello, generation: 2}\n"
      "status: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}\n");
  EXPECT_EQ(service_outcome(service).status, "Unknown");
  write_service_status(function, service);
  EXPECT_EQ(function["status"]["serviceStatus"]["ready"], false);
}

TEST(ServiceStatus, NamesTheRevisionThatServes) {
  Json function;
  const auto served = [&] { return function["status"]["serviceStatus"]["servedRevision"]; };
  write_service_status(function,
                       parsed("metadata: {name: hello}\n"
                              "status: {url: u, latestReadyRevisionName: hello-00002}\n"));
  EXPECT_EQ(served(), "hello-00002");
  write_service_status(function, parsed("metadata: {name: hello}\n"
                                        "status: {latestReadyRevisionName: hello-00002,\n"
                                        "  traffic: [{revisionName: hello-00001}]}\n"));
  EXPECT_EQ(served(), "hello-00001");
  EXPECT_EQ(function["status"]["serviceStatus"]["url"], "u") << "what is not known yet stays";
}

TEST(ServiceOutcome, SaysWhatTheTrafficIsPinnedToNotWhatTheAnnotationWishes) {
  Json service = parsed(
      "metadata: {name: hello, generation: 1}\n"
      "status: {observedGeneration: 1, conditions: [{type: Ready, status: 'True'}]}\n");
  service["spec"]["traffic"] = traffic_to("");
  Json function = parsed("metadata: {name: hello}");
  function["metadata"]["annotations"][std::string(kRollbackTargetAnnotation)] = "hello-00001";
  const auto message = [&] {
    write_service_outcome(function, service, {});
    return resource::condition_of(function, "Ready").message;
  };
  EXPECT_EQ(message(), "");
  service["spec"]["traffic"] = traffic_to("hello-00001");
  EXPECT_EQ(message(),
            "traffic is pinned to hello-00001 by the annotation lambda.knative.io/rollback-target, "
            "until spec or source change");
  function["metadata"]["annotations"].clear();
  EXPECT_EQ(message(), "traffic is pinned to hello-00001, until spec or source change");
}

TEST(Trigger, IsEditedByAnotherSpecNotByAStatus) {
  EXPECT_FALSE(is_edited(parsed("metadata: {generation: 1}")));
  EXPECT_TRUE(is_edited(parsed("{metadata: {generation: 2}, status: {observedGeneration: 1}}")));
  EXPECT_FALSE(is_edited(parsed("{metadata: {generation: 2}, status: {observedGeneration: 2}}")));
}

TEST(LifecycleData, OfAServiceThatIsReadySaysWhereItIs) {
  const LifecycleChange ready = service_ready(
      parsed("metadata: {name: hello}\n"
             "spec: {traffic: [{latestRevision: true}]}\n"
             "status: {url: u, latestCreatedRevisionName: b, latestReadyRevisionName: a}\n"));
  EXPECT_EQ(ready.type, "lifecycle.service.ready");
  EXPECT_EQ(ready.data, parsed("serviceName: hello\nurl: u\nlatestRevision: b\nready: true\n"
                               "latestReadyRevision: a\ntraffic: [{latestRevision: true}]\n"));
}

TEST(LifecycleData, OfABuildsEndNamesItsErrorAsTheCatalogueDoes) {
  const LifecycleChange cancelled = build_ended(BuildEnd::kCancelled, "j", "Cancelled: why");
  EXPECT_EQ(cancelled.type, "lifecycle.build.cancelled");
  EXPECT_EQ(cancelled.data["error"], parsed("type: CancellationError\ncode: BUILD_CANCELLED\n"
                                            "message: 'Cancelled: why'\nretryable: false\n"));
  EXPECT_EQ(build_ended(BuildEnd::kTimedOut, "j", "late").data["phase"], "Timeout");
}

}  // namespace
}  // namespace hearth::lambda
