#include "emulator/serving/revision_spec.h"

#include <gtest/gtest.h>

namespace hearth::serving {
namespace {

Json revision() {
  return {{"metadata", {{"name", "hello-00001"}, {"namespace", "default"}}},
          {"spec", {{"containers", {{{"name", "main"}, {"image", "host:1/hello:v1"}}}}}}};
}

TEST(RevisionSpec, HasNoDigestBeforeItsImageIsResolved) {
  const RevisionSpec spec = parse_revision(revision());
  EXPECT_EQ(spec.container, "main");
  EXPECT_EQ(spec.image, "host:1/hello:v1");
  EXPECT_EQ(spec.image_digest, "");
}

TEST(RevisionSpec, TakesBothSpellingsOfScalingAnnotationsAndThePresentOneFirst) {
  Json object = revision();
  object["metadata"]["annotations"] = {{"autoscaling.knative.dev/minScale", "2"},
                                       {"autoscaling.knative.dev/maxScale", "5"},
                                       {"autoscaling.knative.dev/max-scale", "4"},
                                       {"autoscaling.knative.dev/panicWindowPercentage", "20"}};
  const DeciderSettings scaling = parse_revision(object).scaling;
  EXPECT_EQ(scaling.min_scale, 2);
  EXPECT_EQ(scaling.max_scale, 4);
  EXPECT_EQ(scaling.panic_window_percentage, 20);
}

TEST(RevisionSpec, KeepsTheDigestOfItsStatus) {
  Json object = revision();
  object["status"]["containerStatuses"] = {
      {{"name", "main"}, {"imageDigest", "host:1/hello@sha256:00"}}};
  EXPECT_EQ(parse_revision(object).image_digest, "host:1/hello@sha256:00");
  for (const Json& junk : {Json(1), Json::array(), Json::array({7}), Json::object()}) {
    object["status"]["containerStatuses"] = junk;
    EXPECT_EQ(parse_revision(object).image_digest, "");
  }
}

}  // namespace
}  // namespace hearth::serving
