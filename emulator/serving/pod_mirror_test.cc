#include "emulator/serving/pod_mirror.h"

#include <gtest/gtest.h>

namespace hearth::serving {
namespace {

const RevisionSpec kSpec{.ns = "default",
                         .name = "hello-00001",
                         .image = "host:1/hello:v1",
                         .image_digest = "host:1/hello@sha256:00"};

Crash crash_of(const std::string& instance) {
  return {.revision = "default/hello-00001",
          .instance = instance,
          .reason = "ExitCode3",
          .message = {},
          .last_lines = "why\n",
          .exit_code = 3};
}

TEST(PodMirror, ShowsWhatTheInstanceStartedFrom) {
  const Json status = pod_status(kSpec, {.ready = true});
  EXPECT_EQ(status["phase"], "Running");
  EXPECT_EQ(status["containerStatuses"][0]["imageID"], "host:1/hello@sha256:00");
  EXPECT_FALSE(status["containerStatuses"][0].contains("lastState"));
}

TEST(PodMirror, ShowsHowAnInstanceCrashed) {
  const Json status = ended_pod_status(kSpec, crash_of("a"), 1);
  EXPECT_EQ(status["phase"], "Failed");
  const Json& ended = status["containerStatuses"][0]["state"]["terminated"];
  EXPECT_EQ(ended["exitCode"], 3);
  EXPECT_EQ(ended["reason"], "Error");
  EXPECT_EQ(status["containerStatuses"][0]["restartCount"], 1);
}

TEST(PodMirror, ThePreviousLogIsThatOfTheInstanceThatCrashedBefore) {
  Json pod = pod_object(kSpec, "b");
  const Crash before = crash_of("a");
  pod["status"] = pod_status(kSpec, {.ready = true, .restarts = 1, .last_crash = &before});
  EXPECT_EQ(logged_instance(pod, false), "b");
  EXPECT_EQ(logged_instance(pod, true), "a");
  // One that crashed itself, and nothing runs since.
  pod["status"] = ended_pod_status(kSpec, crash_of("b"), 1);
  EXPECT_EQ(logged_instance(pod, false), "b");
  EXPECT_EQ(logged_instance(pod, true), "b");
  EXPECT_EQ(logged_instance({{"metadata", {{"name", "job"}}}}, true), "job");
}

}  // namespace
}  // namespace hearth::serving
