#include "platform/lambda/function.h"

#include <gtest/gtest.h>

#include "platform/base/yaml.h"
#include "platform/lambda/function_validation.h"
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

// Of each error that the source of this type makes, in one line.
std::string codes(const std::string& type, const std::string& part) {
  std::string out;
  const Json object = function("source: {type: " + type + ", " + type + ": " + part + "}");
  for (const FieldError& error : validate_function(object)) {
    out += (out.empty() ? "" : " ") + error.message.substr(0, error.message.find(':'));
  }
  return out;
}

std::string git_url(const std::string& url) { return codes("git", "{url: '" + url + "'}"); }
std::string git_ref(const std::string& ref) {
  return codes("git", "{url: 'https://host/a', ref: '" + ref + "'}");
}
std::string git_path(const std::string& path) {
  return codes("git", "{url: 'https://host/a', path: '" + path + "'}");
}

TEST(SourceRules, OfARepositorysUrlAreWhatTheSchemaPromises) {
  for (const char* url : {"https://host/a.git", "http://127.0.0.1:3000/a", "ssh://git@host/a",
                          "git://host/a", "git@host:team/a.git", "file:///srv/a"}) {
    EXPECT_EQ(git_url(url), "") << url;
  }
  EXPECT_EQ(git_url(""), "URL_REQUIRED");
  EXPECT_EQ(git_url("https://host/" + std::string(2048, 'a')), "URL_TOO_LONG");
  EXPECT_EQ(git_url("https://host/$(id)"), "URL_INJECTION");
  for (const char* url : {"ftp://host/a", "ext::sh", "host/a", "/srv/a"}) {
    EXPECT_EQ(git_url(url), "URL_INVALID_SCHEME") << url;
  }
  EXPECT_EQ(git_url("https://"), "URL_PARSE_ERROR");
  EXPECT_EQ(git_url("https://host/a b"), "URL_PARSE_ERROR");
}

TEST(SourceRules, OfRefAndPathHaveTheReferencesCodes) {
  for (const char* ref : {"main", "v1.2", "feature/x_1", "issue#7", "0123abc"}) {
    EXPECT_EQ(git_ref(ref), "") << ref;
  }
  EXPECT_EQ(git_ref(std::string(257, 'a')), "REF_TOO_LONG");
  EXPECT_EQ(git_ref("main;id"), "REF_INJECTION");
  for (const char* ref : {"--upload-pack", "/main", "a b", "HEAD^", "a:b"}) {
    EXPECT_EQ(git_ref(ref), "REF_INVALID_FORMAT") << ref;
  }
  EXPECT_EQ(git_ref("a..b"), "REF_PATH_TRAVERSAL");
  EXPECT_EQ(git_path("functions/a..b"), "");
  EXPECT_EQ(git_path(std::string(513, 'a')), "PATH_TOO_LONG");
  EXPECT_EQ(git_path("a|b"), "PATH_INJECTION");
  EXPECT_EQ(git_path("a/../../b"), "PATH_TRAVERSAL");
  EXPECT_EQ(git_path("/etc"), "PATH_ESCAPE");
}

std::string bucket(const std::string& type, const std::string& name) {
  return codes(type, "{bucket: '" + name + "', key: a}");
}
std::string object_key(const std::string& key) {
  return codes("s3", "{bucket: code, key: \"" + key + "\"}");
}

TEST(SourceRules, OfBucketAndKeyHaveTheReferencesCodes) {
  EXPECT_EQ(bucket("minio", "lambda-functions.v2"), "");
  EXPECT_EQ(bucket("s3", ""), "BUCKET_REQUIRED");
  EXPECT_EQ(bucket("s3", "code$(id)"), "BUCKET_INJECTION");
  for (const std::string name : {"ab", "Code", "-code", "code.", "a_b", "a/b"}) {
    EXPECT_EQ(bucket("minio", name), "BUCKET_INVALID_FORMAT") << name;
  }
  EXPECT_EQ(bucket("s3", std::string(64, 'a')), "BUCKET_INVALID_FORMAT");
  EXPECT_EQ(bucket("gcs", "a_b." + std::string(200, 'a')), "") << "Google's own rule";
  EXPECT_EQ(object_key("fn (1)/main.py"), "");
  EXPECT_EQ(object_key(""), "KEY_REQUIRED");
  EXPECT_EQ(object_key(std::string(1025, 'a')), "KEY_TOO_LONG");
  EXPECT_EQ(object_key("a/../b"), "KEY_PATH_TRAVERSAL");
  EXPECT_EQ(object_key("a\\tb"), "KEY_INVALID_FORMAT");
}

TEST(SourceRules, OfEndpointAndRegionHaveTheReferencesCodes) {
  const auto endpoint = [](const std::string& text) {
    return codes("minio", "{bucket: code, key: a, endpoint: '" + text + "'}");
  };
  for (const char* text :
       {"", "minio.minio.svc.cluster.local:9000", "localhost", "127.0.0.1:9000"}) {
    EXPECT_EQ(endpoint(text), "") << text;
  }
  EXPECT_EQ(endpoint(std::string(254, 'a')), "ENDPOINT_TOO_LONG");
  EXPECT_EQ(endpoint("host|id"), "ENDPOINT_INJECTION");
  for (const char* text :
       {"http://host:9000", "host:", "host:123456", "host:nine", ":9000", "-h"}) {
    EXPECT_EQ(endpoint(text), "ENDPOINT_INVALID_FORMAT") << text;
  }
  const auto region = [](const std::string& text) {
    return codes("s3", "{bucket: code, key: a, region: '" + text + "'}");
  };
  EXPECT_EQ(region(""), "");
  EXPECT_EQ(region("eu-central-1"), "");
  for (const char* text : {"here", "EU-central-1", "eu-central", "eu-central-x", "eu--1"}) {
    EXPECT_EQ(region(text), "REGION_INVALID_FORMAT") << text;
  }
}

// The delivery of the function's own Trigger; null when its Broker's holds.
Json trigger_delivery(const std::string& dlq) {
  const Json object = function("eventing: {dlq: " + dlq + "}");
  return render_trigger(object, parse_function(object))["spec"].value("delivery", Json());
}

TEST(Retries, OfAFunctionAreOfItsOwnTrigger) {
  EXPECT_EQ(trigger_delivery("{retryMaxAttempts: 2, retryBackoffDelay: PT3S}"),
            (Json{{"retry", 1}, {"backoffPolicy", "exponential"}, {"backoffDelay", "PT3S"}}));
  EXPECT_EQ(trigger_delivery("{retryMaxAttempts: 1}")["retry"], 0) << "there is no second attempt";
  EXPECT_EQ(trigger_delivery("{retryMaxAttempts: 3}")["backoffDelay"], "PT1S");
  EXPECT_EQ(trigger_delivery("{retryBackoffDelay: PT3S}")["retry"], 4);
}

TEST(Retries, AreTheBrokersWhenTheFunctionSaysNothing) {
  EXPECT_EQ(trigger_delivery("{}"), Json());
  EXPECT_EQ(trigger_delivery("{enabled: true, queueName: letters}"), Json());
}

TEST(Retries, OfTheSharedBrokerAreFiveAttemptsWhoeverMakesIt) {
  const Json usual{{"retry", 4}, {"backoffPolicy", "exponential"}, {"backoffDelay", "PT1S"}};
  for (const char* spec : {"{}", "eventing: {dlq: {retryMaxAttempts: 9}}"}) {
    EXPECT_EQ(render_broker("demo", parse_function(function(spec)))["spec"]["delivery"], usual);
  }
}

// The template's spec of an image source.
Json image_pod(const std::string& image, const std::string& more = "") {
  const Json object = function("source: {type: image, image: " + image + "}\n" + more);
  return render_service(object, parse_function(object), "r/a", "", {})["spec"]["template"]["spec"];
}

TEST(ImageSource, SaysWhenAndWithWhichSecretsItIsPulled) {
  const Json plain = image_pod("{repository: r/a}");
  EXPECT_EQ(plain["containers"][0]["imagePullPolicy"], "IfNotPresent");
  EXPECT_FALSE(plain.contains("imagePullSecrets"));
  const Json pod = image_pod(
      "{repository: r/a, pullPolicy: Always, imagePullSecrets: [one, {name: two}, {name: ''}]}");
  EXPECT_EQ(pod["containers"][0]["imagePullPolicy"], "Always");
  EXPECT_EQ(pod["imagePullSecrets"], Json::array({{{"name", "one"}}, {{"name", "two"}}}));
  EXPECT_EQ(image_pod("{repository: r/a, pullPolicy: Always}",
                      "imagePullPolicy: Never")["containers"][0]["imagePullPolicy"],
            "Never")
      << "the function's own field wins";
}

}  // namespace
}  // namespace hearth::lambda
