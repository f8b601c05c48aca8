#include "platform/lambda/function.h"

#include <gtest/gtest.h>

#include "platform/base/yaml.h"
#include "platform/lambda/render.h"

namespace hearth::lambda {
namespace {

Json function(const std::string& spec) {
  Json object = base::parse_yaml("metadata: {name: hello, namespace: demo, uid: u1}").value();
  object["spec"] = base::parse_yaml(spec).value();
  return object;
}

std::string privileged(const std::string& spec) {
  return privileged_field(function(spec)).value_or("");
}

TEST(PrivilegedField, IsWhereverASecretIsNamed) {
  EXPECT_EQ(
      privileged(
          "env: [{name: A, value: x}, {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}]"),
      "spec.env[1].valueFrom.secretKeyRef");
  EXPECT_EQ(privileged("envFrom: [{secretRef: {name: s}}]"), "spec.envFrom[0].secretRef");
  for (const std::string source : {"minio", "s3", "gcs", "git"}) {
    EXPECT_EQ(privileged("source: {" + source + ": {secretRef: {name: s}}}"),
              "spec.source." + source + ".secretRef");
  }
  EXPECT_EQ(privileged("source: {image: {imagePullSecrets: [s]}}"),
            "spec.source.image.imagePullSecrets");
  EXPECT_EQ(privileged("build: {imagePullSecret: s}"), "spec.build.imagePullSecret");
  EXPECT_EQ(privileged("observability: {logfire: {tokenSecretRef: {name: s}}}"),
            "spec.observability.logfire.tokenSecretRef");
}

TEST(PrivilegedField, IsATokenAndAFileOfThisMachine) {
  EXPECT_EQ(privileged("serviceAccountName: admin"), "spec.serviceAccountName");
  EXPECT_EQ(privileged("source: {git: {url: 'file:///root/repository'}}"), "spec.source.git.url");
  EXPECT_EQ(privileged("source: {git: {url: 'File:///root/repository'}}"), "spec.source.git.url");
}

TEST(PrivilegedField, IsNotWhatOnlySoundsLikeOne) {
  EXPECT_EQ(privileged("env: [{name: SECRET, value: secretRef}]"), "");
  EXPECT_EQ(privileged("env: [{name: A, valueFrom: {configMapKeyRef: {name: c, key: k}}}]"), "");
  EXPECT_EQ(privileged("source: {minio: {bucket: b, secretRef: {name: ''}}}"), "");
  EXPECT_EQ(privileged("source: {git: {url: 'https://host/file:'}}"), "");
  for (const std::string reference : {"{}", "null", "{name: '', key: k}", "{key: k}"}) {
    EXPECT_EQ(privileged("env: [{name: A, valueFrom: {secretKeyRef: " + reference + "}}]"), "");
  }
  EXPECT_EQ(privileged("serviceAccountName: ''"), "");
  EXPECT_EQ(privileged("source: {image: {imagePullSecrets: []}}"), "");
  EXPECT_EQ(privileged("source: {image: {imagePullSecrets: ['', {name: ''}]}}"), "");
}

TEST(UsesBroker, KnowsTheDefaultAndFunctionsWithoutEvents) {
  EXPECT_TRUE(uses_broker(function("{}"), "lambda-broker"));
  EXPECT_FALSE(uses_broker(function("{}"), "other"));
  EXPECT_TRUE(uses_broker(function("eventing: {brokerName: other}"), "other"));
  EXPECT_FALSE(uses_broker(function("eventing: {enabled: false}"), "lambda-broker"));
}

// What the Service is told; 0: nothing.
int time_limit(const std::string& seconds, const std::string& source) {
  const Json object = function("source: {type: " + source + "}\nenv:\n" +
                               "- {name: TIMEOUT_SECONDS, value: '9'}\n" +
                               "- {name: TIMEOUT_SECONDS, value: '" + seconds + "'}\n");
  const Json service = render_service(object, parse_function(object), "image", "", {});
  return service["spec"]["template"]["spec"].value("timeoutSeconds", 0);
}

TEST(TimeLimit, OfTheRevisionIsASecondOverTheWrappers) {
  EXPECT_EQ(time_limit("2", "inline"), 3);
  EXPECT_EQ(time_limit("0.3", "inline"), 2);
  EXPECT_EQ(time_limit("900", "inline"), 600);  // Knative takes no more
  for (const char* text : {"", "0", "-1", "2m", "nan", "inf"}) {
    EXPECT_EQ(time_limit(text, "inline"), 0) << text;
  }
  EXPECT_EQ(time_limit("2", "image"), 0) << "there is no wrapper in somebody else's image";
}

}  // namespace
}  // namespace hearth::lambda
