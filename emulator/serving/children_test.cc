#include "emulator/serving/children.h"

#include <gtest/gtest.h>

#include "emulator/serving/admission.h"

namespace hearth::serving {
namespace {

Json service() {
  return {{"metadata",
           {{"name", "hello"},
            {"namespace", "default"},
            {"uid", "1"},
            {"annotations",
             {{"autoscaling.knative.dev/min-scale", "1"}, {"example.com/team", "blue"}}}}},
          {"spec",
           {{"template",
             {{"metadata", {{"annotations", {{"autoscaling.knative.dev/min-scale", "2"}}}}},
              {"spec", {{"containers", Json::array({{{"image", "a"}}})}}}}}}}};
}

TEST(Children, LeaveOutScalingAnnotationsOfAServiceThatHasThemFromBefore) {
  const Json configuration = configuration_of(service());
  const Json kept{{"example.com/team", "blue"}};
  EXPECT_EQ(configuration["metadata"]["annotations"], kept);
  EXPECT_EQ(route_of(service())["metadata"]["annotations"], kept);
  EXPECT_TRUE(admit_configuration(configuration, nullptr));
  EXPECT_TRUE(admit_route(route_of(service()), nullptr));
}

TEST(Children, GiveARevisionTheScalingAnnotationsOfItsTemplate) {
  const Json revision = revision_of(configuration_of(service()), "hello-00001");
  EXPECT_EQ(revision["metadata"]["annotations"]["autoscaling.knative.dev/min-scale"], "2");
}

}  // namespace
}  // namespace hearth::serving
