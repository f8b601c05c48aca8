#include "emulator/serving/admission.h"

#include <gtest/gtest.h>

#include "emulator/serving/children.h"
#include "platform/resource/testing/replace_each.h"

namespace hearth::serving {
namespace {

Json with_container(Json container) {
  return {
      {"metadata", {{"name", "hello"}, {"namespace", "default"}}},
      {"spec", {{"template", {{"spec", {{"containers", Json::array({std::move(container)})}}}}}}}};
}

Json service() { return with_container({{"image", "example.com/hello"}}); }

Json with_traffic(Json traffic) {
  Json object = service();
  object["spec"]["traffic"] = std::move(traffic);
  return object;
}

Json route(Json traffic) {
  return {{"metadata", {{"name", "hello"}, {"namespace", "default"}}},
          {"spec", {{"traffic", std::move(traffic)}}}};
}

// "field: message" of every fault, a line each.
std::string faults(const Status& status) {
  if (status) return "";
  EXPECT_EQ(status.error().code, Code::kInvalid);
  std::string out;
  for (const FieldError& field : status.error().fields) {
    out += field.field + ": " + field.message + "\n";
  }
  return out;
}

testing::AssertionResult refused(const Status& status, const std::string& text) {
  const std::string all = faults(status);
  if (all.contains(text)) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "no \"" << text << "\" in \"" << all << "\"";
}

TEST(ServiceAdmission, TakesWhatKnativeTakes) {
  Json object = with_container(
      {{"name", "user-container"},
       {"image", "example.com/hello"},
       {"command", {"/bin/hello"}},
       {"ports", {{{"containerPort", 8080}, {"name", "h2c"}, {"protocol", "TCP"}}}},
       {"env",
        {{{"name", "A"}, {"value", "1"}},
         {{"name", "B"}, {"valueFrom", {{"secretKeyRef", {{"name", "s"}, {"key", "k"}}}}}}}},
       {"lifecycle", nullptr}});
  Json& pod = object["spec"]["template"]["spec"];
  pod["containerConcurrency"] = 1000;
  pod["timeoutSeconds"] = 600;
  pod["automountServiceAccountToken"] = false;
  pod["serviceAccountName"] = "someone";
  object["spec"]["traffic"] = {{{"revisionName", "hello-00001"}, {"percent", 80}, {"tag", "old"}},
                               {{"latestRevision", true}, {"percent", 20}},
                               {{"percent", nullptr}, {"tag", "next"}}};
  EXPECT_EQ(faults(admit_service(object, nullptr)), "");
  EXPECT_EQ(faults(admit_configuration(object, nullptr)), "");
}

TEST(ServiceAdmission, WantsContainersWithImages) {
  const char* missing = "missing field(s): spec.template.spec.containers";
  EXPECT_TRUE(refused(admit_service({{"metadata", {{"name", "x"}}}}, nullptr), missing));
  Json empty = service();
  empty["spec"]["template"]["spec"]["containers"] = Json::array();
  EXPECT_TRUE(refused(admit_service(empty, nullptr), missing));
  EXPECT_TRUE(refused(admit_configuration(empty, nullptr), missing));
  for (const Json& image : {Json(), Json("")}) {
    EXPECT_TRUE(refused(admit_service(with_container({{"image", image}}), nullptr),
                        "missing field(s): spec.template.spec.containers[0].image"));
  }
}

TEST(ServiceAdmission, RefusesUnknownFieldsWithTheirPaths) {
  Json object = with_container({{"image", "i"}, {"foo", 1}, {"lifecycle", Json::object()}});
  object["spec"]["template"]["spec"]["hostNetwork"] = true;
  const Status status = admit_service(object, nullptr);
  for (const char* path :
       {"spec.template.spec.containers[0].foo", "spec.template.spec.containers[0].lifecycle",
        "spec.template.spec.hostNetwork"}) {
    EXPECT_TRUE(refused(status, std::string(path) + ": must not set the field(s): " + path));
  }
}

TEST(ServiceAdmission, BoundsNumbers) {
  const auto port = [](Json number) {
    return admit_service(
        with_container({{"image", "i"}, {"ports", {{{"containerPort", std::move(number)}}}}}),
        nullptr);
  };
  EXPECT_TRUE(port(0));
  EXPECT_TRUE(port(65535));
  EXPECT_TRUE(refused(port(65536),
                      "expected 0 <= 65536 <= 65535: "
                      "spec.template.spec.containers[0].ports[0].containerPort"));
  EXPECT_TRUE(refused(port(-1), "expected 0 <= -1 <= 65535"));
  EXPECT_TRUE(refused(port(18446744073709551615U), "expected 0 <= 18446744073709551615"));
  EXPECT_TRUE(refused(port("80"), "is not an integer"));
  EXPECT_TRUE(refused(port(80.5), "is not an integer"));
  Json object = service();
  object["spec"]["template"]["spec"]["containerConcurrency"] = 1001;
  object["spec"]["template"]["spec"]["timeoutSeconds"] = -1;
  const Status status = admit_service(object, nullptr);
  EXPECT_TRUE(
      refused(status, "expected 0 <= 1001 <= 1000: spec.template.spec.containerConcurrency"));
  EXPECT_TRUE(refused(status, "expected 0 <= -1 <= 600: spec.template.spec.timeoutSeconds"));
}

TEST(ServiceAdmission, WantsOnePortAmongAllContainers) {
  const Json port = Json::array({{{"containerPort", 8080}}});
  const auto two = [](Json a, Json b) {
    Json object = service();
    object["spec"]["template"]["spec"]["containers"] = Json::array({std::move(a), std::move(b)});
    return admit_service(object, nullptr);
  };
  const Json plain{{"image", "i"}};
  const Json serving{{"image", "i"}, {"ports", port}};
  EXPECT_TRUE(two(serving, plain));
  EXPECT_TRUE(refused(two(serving, serving), "more than one container port is set"));
  EXPECT_TRUE(
      refused(two(plain, plain), "missing field(s): spec.template.spec.containers[*].ports"));
  EXPECT_TRUE(refused(
      two({{"image", "i"}, {"name", "a"}, {"ports", port}}, {{"image", "i"}, {"name", "a"}}),
      "duplicate container name \"a\""));
}

TEST(ServiceAdmission, WantsEnvironmentNamesAndText) {
  const Status status = admit_service(
      with_container(
          {{"image", "i"}, {"env", {{{"value", "x"}}, {{"name", "N"}, {"value", 5}}, "A=B"}}}),
      nullptr);
  EXPECT_TRUE(refused(status, "missing field(s): spec.template.spec.containers[0].env[0].name"));
  EXPECT_TRUE(refused(status, "containers[0].env[1].value: invalid value: 5 is not text"));
  EXPECT_TRUE(refused(status, "containers[0].env[2]: invalid value: \"A=B\" is not an object"));
}

TEST(ServiceAdmission, WantsANewNameForAnotherTemplate) {
  Json old = service();
  old["spec"]["template"]["metadata"]["name"] = "hello-v1";
  EXPECT_EQ(faults(admit_service(old, nullptr)), "");
  Json changed = old;
  changed["spec"]["template"]["spec"]["containers"][0]["image"] = "other";
  EXPECT_TRUE(refused(admit_service(changed, &old), "without a name change"));
  changed["spec"]["template"]["metadata"]["name"] = "hello-v2";
  EXPECT_EQ(faults(admit_service(changed, &old)), "");
  changed["spec"]["template"]["metadata"]["name"] = "v3";
  EXPECT_TRUE(refused(admit_service(changed, &old), "\"v3\" must have prefix \"hello-\""));
}

TEST(TrafficAdmission, WantsAHundredPercent) {
  const auto sums = [](Json a, Json b) {
    return admit_service(with_traffic({{{"revisionName", "hello-00001"}, {"percent", std::move(a)}},
                                       {{"latestRevision", true}, {"percent", std::move(b)}}}),
                         nullptr);
  };
  EXPECT_TRUE(sums(30, 70));
  EXPECT_TRUE(sums(100, nullptr));
  EXPECT_TRUE(refused(sums(20, 70), "Traffic targets sum to 90, want 100: spec.traffic"));
  EXPECT_TRUE(refused(sums(60, 70), "Traffic targets sum to 130, want 100"));
  EXPECT_TRUE(refused(sums(150, -50), "expected 0 <= 150 <= 100: spec.traffic[0].percent"));
  EXPECT_TRUE(refused(sums(150, -50), "expected 0 <= -50 <= 100: spec.traffic[1].percent"));
  EXPECT_TRUE(refused(admit_service(with_traffic({{{"latestRevision", true}}}), nullptr),
                      "Traffic targets sum to 0, want 100"));
  EXPECT_TRUE(admit_service(with_traffic(Json::array()), nullptr));
  EXPECT_TRUE(refused(admit_route(route(Json::array()), nullptr), "sum to 0, want 100"));
}

TEST(TrafficAdmission, WantsTagsThatAreUniqueLabels) {
  const auto tags = [](Json a, Json b) {
    return admit_service(with_traffic({{{"percent", 100}, {"tag", std::move(a)}},
                                       {{"revisionName", "hello-00001"}, {"tag", std::move(b)}}}),
                         nullptr);
  };
  EXPECT_TRUE(tags("old", "new"));
  EXPECT_TRUE(refused(tags("x", "x"),
                      "Multiple definitions for \"x\": spec.traffic[0].tag, spec.traffic[1].tag"));
  for (const char* bad : {"1st", "Old", "a.b", "a-"}) {
    EXPECT_TRUE(refused(tags(bad, "new"), "not a DNS 1035 label")) << bad;
  }
}

TEST(TrafficAdmission, WantsOneMeaningOfATarget) {
  const auto target = [](Json value) {
    value["percent"] = 100;
    return Json::array({std::move(value)});
  };
  const Json pinned{{"revisionName", "hello-00001"}, {"latestRevision", true}};
  EXPECT_TRUE(refused(admit_service(with_traffic(target(pinned)), nullptr),
                      "may not set revisionName \"hello-00001\" when latestRevision is true: "
                      "spec.traffic[0].latestRevision"));
  EXPECT_TRUE(refused(admit_service(with_traffic(target({{"latestRevision", false}})), nullptr),
                      "may not set revisionName \"\" when latestRevision is false"));
  EXPECT_TRUE(refused(admit_service(with_traffic(target({{"configurationName", "c"}})), nullptr),
                      "must not set the field(s): spec.traffic[0].configurationName"));
  EXPECT_TRUE(refused(admit_service(with_traffic(target({{"url", "http://x"}})), nullptr),
                      "must not set the field(s): spec.traffic[0].url"));
  EXPECT_TRUE(admit_route(route(target({{"configurationName", "c"}})), nullptr));
  EXPECT_TRUE(refused(admit_route(route(target({{"latestRevision", true}})), nullptr),
                      "expected exactly one, got neither: spec.traffic[0].configurationName, "
                      "spec.traffic[0].revisionName"));
  EXPECT_TRUE(refused(
      admit_route(route(target({{"configurationName", "c"}, {"revisionName", "r"}})), nullptr),
      "expected exactly one, got both"));
}

TEST(ServiceAdmission, ChecksTheAnnotationsOfTheTemplate) {
  Json object = service();
  object["spec"]["template"]["metadata"]["annotations"] = {
      {"autoscaling.knative.dev/window", "1s"}};
  const char* fault =
      "expected 6s <= 1s <= 1h0m0s: "
      "spec.template.metadata.annotations.autoscaling.knative.dev/window";
  EXPECT_TRUE(refused(admit_service(object, nullptr), fault));
  EXPECT_TRUE(refused(admit_configuration(object, nullptr), fault));
}

TEST(ServingAdmission, RefusesScalingAnnotationsThatHaveNoEffect) {
  const Json old = service();
  Json object = old;
  object["metadata"]["annotations"] = {{"autoscaling.knative.dev/min-scale", "1"}};
  const char* fault = "invalid key name \"autoscaling.knative.dev/min-scale\"";
  EXPECT_TRUE(refused(admit_service(object, nullptr), fault));
  EXPECT_TRUE(refused(admit_service(object, &old), fault));
  EXPECT_TRUE(admit_service(object, &object));
}

TEST(RevisionAdmission, KeepsTheSpecAsItWas) {
  const Json old{{"metadata", {{"name", "hello-00001"}}},
                 {"spec", {{"containers", {{{"image", "a"}}}}, {"timeoutSeconds", 300}}}};
  EXPECT_TRUE(admit_revision(old, nullptr));
  Json object = old;
  object["metadata"]["labels"] = {{"tier", "gold"}};
  object["status"] = {{"observedGeneration", 1}};
  EXPECT_TRUE(admit_revision(object, &old));
  object["spec"]["timeoutSeconds"] = 301;
  EXPECT_TRUE(refused(admit_revision(object, &old), "Immutable fields changed (-old +new): spec"));
  object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_TRUE(admit_revision(object, &old));
}

TEST(ServingAdmission, TakesTheChildrenOfWhatItTook) {
  for (const Json& traffic :
       {Json(), Json::array(), Json::array({{{"percent", 100}, {"revisionName", nullptr}}}),
        Json::array({{{"percent", 100}, {"revisionName", ""}}}),
        Json::array({{{"percent", 50}, {"revisionName", "hello-00001"}, {"latestRevision", false}},
                     {{"percent", 50}, {"latestRevision", true}, {"tag", "next"}}})}) {
    const Json object = with_traffic(traffic);
    EXPECT_EQ(faults(admit_service(object, nullptr)), "");
    EXPECT_EQ(faults(admit_configuration(configuration_of(object), nullptr)), "");
    EXPECT_EQ(faults(admit_route(route_of(object), nullptr)), "");
  }
}

TEST(ServingAdmission, LeavesAloneWhatWasStoredUnderOlderRules) {
  const Json old = with_traffic({{{"percent", 7}}});
  Json object = old;
  object["metadata"]["finalizers"] = {"example.com/mine"};
  object["status"] = {{"url", "http://x"}};
  EXPECT_TRUE(admit_service(object, &old));
  EXPECT_TRUE(admit_route(object, &old));
  object["spec"]["traffic"][0]["percent"] = 8;
  EXPECT_FALSE(admit_service(object, &old));
  object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  EXPECT_TRUE(admit_service(object, &old));
  EXPECT_FALSE(admit_service(object, nullptr));
}

TEST(ServingAdmission, BearsWrongTypesEverywhere) {
  Json object =
      with_container({{"name", "c"},
                      {"image", "i"},
                      {"command", {"a"}},
                      {"ports", {{{"containerPort", 1}, {"name", ""}}}},
                      {"env", {{{"name", "N"}, {"value", "v"}}}},
                      {"envFrom", {{{"secretRef", {{"name", "s"}}}}}},
                      {"livenessProbe", {{"exec", {{"command", {"a"}}}}}},
                      {"readinessProbe", {{"httpGet", {{"port", 1}}}, {"periodSeconds", 1}}},
                      {"volumeMounts", {{{"name", "v"}, {"mountPath", "/v"}}}},
                      {"resources", Json::object()}});
  object["spec"]["template"]["metadata"]["name"] = "hello-v1";
  object["spec"]["template"]["metadata"]["annotations"] = {
      {"autoscaling.knative.dev/min-scale", "1"}, {"autoscaling.knative.dev/window", "6s"}};
  object["spec"]["template"]["spec"]["timeoutSeconds"] = 1;
  object["spec"]["template"]["spec"]["volumes"] = {
      {{"name", "v"}, {"projected", {{"sources", {{{"secret", {{"name", "s"}}}}}}}}},
      {{"name", "w"}, {"emptyDir", {{"sizeLimit", "1Mi"}}}},
      {{"name", "x"}, {"configMap", {{"items", {{{"key", "k"}, {"path", "p"}}}}}}}};
  object["spec"]["traffic"] = {
      {{"revisionName", "hello-v1"}, {"percent", 100}, {"tag", "t"}, {"latestRevision", false}}};
  const Json old = object;
  for (const Json& junk :
       {Json(), Json(true), Json(-1), Json(1.5), Json(18446744073709551615U), Json("\xff\"\n"),
        Json(std::string(1000, 'x')), Json::array({nullptr, 1, "x"}), Json{{"", nullptr}}}) {
    resource::replace_each(object, junk, [&] {
      for (const Json* before : {static_cast<const Json*>(nullptr), &old, &junk}) {
        for (const auto admit : {admit_service, admit_configuration, admit_route, admit_revision}) {
          const Status status = admit(object, before);
          if (!status) EXPECT_FALSE(status.error().fields.empty());
        }
      }
    });
  }
}

TEST(ServingAdmission, KeepsItsAnswerSmall) {
  Json object = service();
  for (int i = 0; i < 1000; ++i) {
    object["spec"]["template"]["spec"][std::to_string(i)] = std::string(1000, 'x');
  }
  EXPECT_LT(admit_service(object, nullptr).error().message.size(), 10'000U);
}

}  // namespace
}  // namespace hearth::serving
