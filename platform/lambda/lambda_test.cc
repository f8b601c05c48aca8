#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/base/yaml.h"
#include "platform/lambda/build_plan.h"
#include "platform/lambda/function_status.h"
#include "platform/lambda/function_validation.h"
#include "platform/lambda/object_location.h"
#include "platform/lambda/render.h"
#include "platform/resource/condition.h"
#include "platform/resource/object.h"

namespace hearth::lambda {
namespace {

Json function(const std::string& spec) {
  Json object = base::parse_yaml("metadata: {name: hello, namespace: demo, uid: u1}").value();
  object["kind"] = "LambdaFunction";
  object["apiVersion"] = "lambda.knative.io/v1alpha1";
  object["spec"] = base::parse_yaml(spec).value();
  return object;
}

const char* const kInline =
    "source: {type: inline, inline: {code: 'def handler(e): pass'}}\n"
    "runtime: {language: python, version: '3.11'}\n";

std::vector<std::string> fields(const std::string& spec) {
  std::vector<std::string> out;
  for (const auto& error : validate_function(function(spec))) out.push_back(error.field);
  return out;
}

TEST(Validation, AcceptsAnInlineFunction) { EXPECT_THAT(fields(kInline), testing::IsEmpty()); }

TEST(Validation, NamesWhatIsMissingOrHostile) {
  EXPECT_THAT(fields("source: {type: minio}\n"), testing::ElementsAre("spec.source.minio"));
  EXPECT_THAT(fields("source: {type: minio, minio: {bucket: b, key: a/../b}}\n"),
              testing::ElementsAre("spec.source.minio.key"));
  EXPECT_THAT(
      fields("source: {type: git, git: {url: 'https://x/$(id)', ref: a..b, path: ../c}}\n"),
      testing::ElementsAre("spec.source.git.url", "spec.source.git.ref", "spec.source.git.path"));
  EXPECT_THAT(fields(std::string(kInline) + "scaling: {minReplicas: 5, maxReplicas: 2}\n"),
              testing::ElementsAre("spec.scaling.minReplicas"));
  EXPECT_THAT(fields(std::string(kInline) + "resources: {limits: {memory: lots}}\n"),
              testing::ElementsAre("spec.resources.limits.memory"));
}

TEST(Validation, GivesTheReferencesErrorCodes) {
  const auto code_of = [](const std::string& handler) {
    Json object = function(kInline);
    object["spec"]["runtime"]["handler"] = handler;
    const auto errors = validate_function(object);
    return errors.empty() ? std::string()
                          : errors[0].message.substr(0, errors[0].message.find(':'));
  };
  EXPECT_EQ(code_of("main.handler"), "");
  EXPECT_EQ(code_of("main.handler;rm"), "HANDLER_INJECTION");
  EXPECT_EQ(code_of("main.'x'"), "HANDLER_QUOTES");
  EXPECT_EQ(code_of("handler"), "HANDLER_INVALID_FORMAT");
  EXPECT_EQ(code_of(std::string(101, 'a')), "HANDLER_TOO_LONG");
}

TEST(Function, TellsUnsetFromFalse) {  // B-04
  EXPECT_TRUE(parse_function(function(kInline)).eventing_enabled);
  EXPECT_FALSE(parse_function(function(std::string(kInline) + "eventing: {enabled: false}\n"))
                   .eventing_enabled);
}

class BuildPlanTest : public testing::Test {
 protected:
  BuildPlan plan(const std::string& spec, SourceTree tree) {
    return plan_build("demo", "hello", parse_function(function(spec)), languages_, std::move(tree),
                      {})
        .value();
  }
  Languages languages_ = Languages::load("").value();
};

TEST_F(BuildPlanTest, IsReproducibleAndNamedByContent) {
  const auto first = plan(kInline, {{"main.py", "x = 1"}});
  const auto again = plan(kInline, {{"main.py", "x = 1"}});
  EXPECT_EQ(first.context_tar_gz, again.context_tar_gz);
  EXPECT_EQ(first.push_image, "localhost:5001/demo/hello:" + first.hash.substr(0, 12));
  EXPECT_NE(first.hash, plan(kInline, {{"main.py", "x = 2"}}).hash);
}

TEST_F(BuildPlanTest, DependenciesChangeTheHash) {  // B-22, B-30
  EXPECT_NE(plan(kInline, {{"main.py", "x"}}).hash,
            plan(kInline, {{"main.py", "x"}, {"requirements.txt", "six"}}).hash);
}

TEST_F(BuildPlanTest, ASingleFileTakesTheMainFilesName) {
  EXPECT_EQ(plan(kInline, {{"main.py", "x"}}).hash, plan(kInline, {{"whatever.py", "x"}}).hash);
  const auto none = plan_build("demo", "hello", parse_function(function(kInline)), languages_,
                               {{"a.txt", ""}, {"b.txt", ""}}, {});
  EXPECT_EQ(none.error().code, Code::kNotFound);
  EXPECT_THAT(none.error().message, testing::HasSubstr("a.txt, b.txt"));
}

TEST(Template, KeepsSectionsByFileAndNests) {
  const auto has = [](const std::string& file) { return file == "a"; };
  EXPECT_EQ(render_template("{{#has a}}\nA{{^has b}}-{{x}}{{/has}}\n{{/has}}\n{{#has b}}B{{/has}}",
                            {{"x", "1"}}, has)
                .value(),
            "A-1");
  EXPECT_FALSE(render_template("{{y}}", {}, has));
  EXPECT_FALSE(render_template("{{#has a}}", {}, has));
}

TEST(Render, JobNamesFitALabel) {  // B-16
  const std::string name = build_job_name(std::string(63, 'a'), std::string(64, 'b'), 12);
  EXPECT_LE(name.size(), 63U);
  EXPECT_TRUE(name.ends_with("-build-bbbbbbbbbb-12"));
}

TEST(Render, TheTriggerNeverMatchesReplies) {  // B-40
  const Json trigger = render_trigger(function(kInline), parse_function(function(kInline)));
  EXPECT_EQ(trigger["spec"]["filters"][0]["prefix"]["type"], "io.knative.lambda.invoke.");
}

TEST(Render, TheServiceCarriesScalingAndEnvironment) {
  const Json object = function(std::string(kInline) +
                               "scaling: {minReplicas: 1, maxReplicas: 3, targetConcurrency: 20}\n"
                               "env: [{name: A, value: b}]\n");
  const Json service = render_service(object, parse_function(object), "image", "main.handler", {});
  const Json& revision = service["spec"]["template"];
  EXPECT_EQ(revision["metadata"]["annotations"]["autoscaling.knative.dev/min-scale"], "1");
  EXPECT_EQ(revision["spec"]["containerConcurrency"], 20);
  EXPECT_EQ(revision["spec"]["containers"][0]["env"].back(), (Json{{"name", "A"}, {"value", "b"}}));
  EXPECT_EQ(resource::controller_of(service)->uid, "u1");
}

TEST(Status, RetriesBackOffToFiveMinutes) {  // B-08
  EXPECT_EQ(build_retry_delay(1).count(), 10);
  EXPECT_EQ(build_retry_delay(2).count(), 20);
  EXPECT_EQ(build_retry_delay(50).count(), 300);
}

TEST(Status, ReadySaysWhatThePhaseSays) {  // B-11
  Json object = function(kInline);
  base::VirtualClock clock;
  set_phase(object, "Failed", "BuildFailed", "why", clock.wall());
  EXPECT_EQ(resource::condition_of(object, "Ready").status, "False");
  set_phase(object, "Ready", "Ready", "", clock.wall());
  EXPECT_TRUE(resource::is_condition_true(object, "Ready"));
}

TEST_F(BuildPlanTest, ASingleFileKeepsTheNameThatItsHandlerHas) {
  const std::string spec =
      "source: {type: minio, minio: {bucket: b, key: k.tar.gz}}\n"
      "runtime: {language: nodejs, version: '20', handler: app.buy}\n";
  EXPECT_NE(plan(spec, {{"app.js", "x"}}).hash, plan(spec, {{"other.js", "x"}}).hash);
  EXPECT_EQ(plan(spec, {{"index.js", "x"}}).hash, plan(spec, {{"other.js", "x"}}).hash);
}

TEST(BuildJob, NamesTheBucketWhenTheContextIsTooLargeForAConfigMap) {
  const Json object = function(kInline);
  BuildPlan plan{.context_tar_gz = "small", .hash = "abc", .push_image = "r/i:t"};
  const RenderSettings settings;
  EXPECT_EQ(context_uri(object, plan, settings), "");
  EXPECT_TRUE(render_build_job(object, parse_function(object), plan, 1,
                               settings)["spec"]["template"]["spec"]
                  .contains("initContainers"));
  plan.context_tar_gz = std::string(1024 * 1024, 'x');
  EXPECT_EQ(context_uri(object, plan, settings),
            "s3://lambda-functions/build-contexts/demo/hello/abc.tar.gz");
  const Json pod = render_build_job(object, parse_function(object), plan, 1,
                                    settings)["spec"]["template"]["spec"];
  EXPECT_FALSE(pod.contains("volumes"));
  EXPECT_EQ(pod["containers"][0]["args"][0], "--dockerfile=Dockerfile");
  EXPECT_EQ(pod["containers"][0]["env"][0]["name"], "S3_ENDPOINT");
}

TEST(ObjectLocation, KnowsEachStoresEndpointAndKeys) {
  Source source{.type = SourceType::kS3, .region = "eu-west-1", .bucket = "b", .key = "k"};
  EXPECT_EQ(object_location(source, {}, "")->endpoint, "https://s3.eu-west-1.amazonaws.com");
  source.type = SourceType::kGcs;
  source.secret = "keys";
  const auto gcs =
      object_location(source, {{"accesskey", "GOOG1"}, {"secretkey", "s"}}, "https://gcs");
  ASSERT_TRUE(gcs);
  EXPECT_EQ(gcs->endpoint, "https://gcs");
  EXPECT_EQ(gcs->credentials.access_key, "GOOG1");
}

TEST(ObjectLocation, SaysWhichKeysASecretHasAndWhatGoogleNeeds) {
  Source source{.type = SourceType::kGcs, .bucket = "b", .key = "k", .secret = "mine"};
  EXPECT_THAT(
      object_location(source, {{"key.json", R"({"private_key": "x"})"}}, "").error().message,
      testing::HasSubstr("HMAC"));
  EXPECT_THAT(object_location(source, {{"user", "x"}}, "").error().message,
              testing::HasSubstr("it has user"));
}

}  // namespace
}  // namespace hearth::lambda
