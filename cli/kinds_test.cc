#include "cli/kinds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

using testing::HasSubstr;

Json group(const std::string& name, const std::string& plural, const std::string& kind) {
  const Json resource{
      {"resource", plural}, {"responseKind", {{"kind", kind}}}, {"scope", "Namespaced"}};
  const Json version{{"version", "v1"}, {"resources", Json::array({resource})}};
  return {{"metadata", {{"name", name}}}, {"versions", Json::array({version})}};
}

// Service and Event are kinds of two groups each, as on every cluster with Knative.
Kinds sample() {
  Kinds kinds;
  const Json groups = Json::array({group("", "services", "Service"), group("", "events", "Event"),
                                   group("events.k8s.io", "events", "Event"),
                                   group("serving.knative.dev", "services", "Service")});
  EXPECT_TRUE(kinds.add_groups({{"items", groups}}));
  return kinds;
}

TEST(Kinds, OfOneNameAreToldApartByTheirGroups) {
  for (const char* version : {"v1", "serving.knative.dev/v1"}) {
    const auto kind = sample().of(version, "Service");
    ASSERT_TRUE(kind) << kind.error().message;
    EXPECT_EQ(kind->type.api_version(), version);
  }
  EXPECT_EQ(sample().of("events.k8s.io/v1", "Event")->type.group, "events.k8s.io");
}

TEST(Kinds, ThatAreUnknownBringTheNearestVersionOrKind) {
  EXPECT_THAT(sample().of("serving.knative.dev/v2", "Service").error().message,
              HasSubstr("did you mean apiVersion \"serving.knative.dev/v1\"?"));
  EXPECT_THAT(sample().of("nobody.example/v7alpha3", "Service").error().message,
              HasSubstr("did you mean apiVersion \"v1\"?"));
  EXPECT_THAT(sample().of("v1", "Servce").error().message,
              HasSubstr("did you mean kind \"Service\"?"));
}

}  // namespace
}  // namespace hearth::cli
