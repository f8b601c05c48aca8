#include "emulator/apiserver/field_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/resource/well_known.h"

namespace hearth::apiserver {
namespace {

using resource::Type;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const Type kDeployments{"apps", "v1", "deployments", "Deployment"};
const Type kSecrets{"", "v1", "secrets", "Secret"};

struct Checked {
  Json object;
  std::vector<std::string> unknown;
  std::string error;
};

Checked check(const Type& type, Json object) {
  Checked out{std::move(object), {}, {}};
  const Status status = check_fields(type, out.object, out.unknown);
  if (!status) out.error = status.error().message;
  return out;
}

TEST(FieldCheck, NamesAndRemovesWhatTheKindDoesNotHave) {
  const Checked seen =
      check(kDeployments,
            {{"apiVersion", "apps/v1"},
             {"kind", "Deployment"},
             {"metadata", {{"name", "x"}, {"nme", "y"}}},
             {"spec",
              {{"tmplate", Json::object()},
               {"template", {{"spec", {{"containers", {{{"name", "c"}, {"imge", "i"}}}}}}}}}}});
  EXPECT_EQ(seen.error, "");
  EXPECT_THAT(seen.unknown,
              ElementsAre("metadata.nme", "spec.template.spec.containers[0].imge", "spec.tmplate"));
  EXPECT_FALSE(seen.object["spec"].contains("tmplate"));
  EXPECT_EQ(seen.object["spec"]["template"]["spec"]["containers"][0], Json({{"name", "c"}}));
}

TEST(FieldCheck, NamesTheFirstValueOfAWrongType) {
  EXPECT_EQ(check(kDeployments, {{"spec", {{"replicas", "x"}}}}).error,
            "spec.replicas: expected an integer, not \"x\"");
  EXPECT_EQ(check(resource::kConfigMaps, {{"data", {{"k", 5}}}}).error,
            "data.k: expected text, not 5");
  EXPECT_EQ(check(resource::kConfigMaps, {{"metadata", 1}}).error,
            "metadata: expected a mapping, not 1");
  EXPECT_THAT(
      check(kDeployments, {{"spec", {{"template", {{"spec", {{"containers", 1}}}}}}}}).error,
      HasSubstr("spec.template.spec.containers: expected a list"));
}

TEST(FieldCheck, WantsBytesInBase64) {
  EXPECT_EQ(check(kSecrets, {{"data", {{"a", "aGVsbG8="}}}}).error, "");
  EXPECT_THAT(check(kSecrets, {{"data", {{"a", "not base64!!"}}}}).error, HasSubstr("data.a"));
}

TEST(FieldCheck, TakesNullForAbsent) {
  EXPECT_EQ(check(kDeployments, {{"metadata", {{"creationTimestamp", nullptr}}},
                                 {"spec", {{"replicas", nullptr}, {"template", nullptr}}}})
                .error,
            "");
}

TEST(FieldCheck, LooksOnlyAtTheMetadataOfCustomKinds) {
  const Checked seen = check(
      Type{"acme.io", "v1", "widgets", "Widget"},
      {{"metadata", {{"name", "x"}, {"lables", Json::object()}}}, {"spec", {{"anything", 1}}}});
  EXPECT_THAT(seen.unknown, ElementsAre("metadata.lables"));
  EXPECT_TRUE(seen.object["spec"].contains("anything"));
}

TEST(FieldCheck, FindsNothingWrongWithWhatIsNoObjectAtAll) {
  EXPECT_THAT(check(Type{"acme.io", "v1", "widgets", "Widget"}, Json::array()).unknown, IsEmpty());
}

}  // namespace
}  // namespace hearth::apiserver
