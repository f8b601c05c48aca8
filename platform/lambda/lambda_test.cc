#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/async/loop.h"
#include "platform/base/limits.h"
#include "platform/base/yaml.h"
#include "platform/lambda/build_plan.h"
#include "platform/lambda/change_watch.h"
#include "platform/lambda/function_status.h"
#include "platform/lambda/function_validation.h"
#include "platform/lambda/lifecycle_event.h"
#include "platform/lambda/object_location.h"
#include "platform/lambda/render.h"
#include "platform/lambda/source_watch.h"
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
  EXPECT_THAT(fields("source: {type: minio, minio: {bucket: code, key: a/../b}}\n"),
              testing::ElementsAre("spec.source.minio.key"));
  EXPECT_THAT(
      fields("source: {type: git, git: {url: 'https://x/$(id)', ref: a..b, path: ../c}}\n"),
      testing::ElementsAre("spec.source.git.url", "spec.source.git.ref", "spec.source.git.path"));
  EXPECT_THAT(fields(std::string(kInline) + "scaling: {minReplicas: 5, maxReplicas: 2}\n"),
              testing::ElementsAre("spec.scaling.minReplicas"));
  EXPECT_THAT(fields(std::string(kInline) + "resources: {limits: {memory: lots}}\n"),
              testing::ElementsAre("spec.resources.limits.memory"));
}

TEST(Validation, RefusesWhatKnativeWouldRefuseOfItsService) {
  EXPECT_THAT(fields(std::string(kInline) + "env: [{name: PORT, value: '1'}, {name: PORTS}]\n"),
              testing::ElementsAre("spec.env[0].name"));
  EXPECT_THAT(fields(std::string(kInline) + "env: [{name: K_REVISION, value: x}]\n"),
              testing::ElementsAre("spec.env[0].name"));
  const auto image = [](int port) {
    return fmt::format("source: {{type: image, image: {{repository: r/a, port: {}}}}}\n", port);
  };
  EXPECT_THAT(fields(image(9091)), testing::ElementsAre("spec.source.image.port"));
  EXPECT_THAT(fields(image(8080)), testing::IsEmpty());
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

TEST_F(BuildPlanTest, OnlyAFileOfTheLanguageBecomesTheHandlersFile) {
  const auto half = plan_build("demo", "hello", parse_function(function(kInline)), languages_,
                               {{"requirements.txt", "six"}}, {});
  ASSERT_FALSE(half);
  EXPECT_EQ(half.error().code, Code::kNotFound);
  EXPECT_THAT(half.error().message, testing::HasSubstr("no main.py; it has requirements.txt"));
  EXPECT_THAT(half.error().message, testing::HasSubstr("ends in .py"));
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

TEST(Render, TheServiceAsksForNoMoreConcurrencyThanKnativeTakes) {
  const Json object = function(std::string(kInline) + "scaling: {targetConcurrency: 5000}\n");
  const Json service = render_service(object, parse_function(object), "image", "main.handler", {});
  EXPECT_EQ(service["spec"]["template"]["spec"]["containerConcurrency"], 1000);
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

TEST_F(BuildPlanTest, ASingleFileTakesTheNameThatItsHandlerAsksFor) {
  const std::string spec =
      "source: {type: minio, minio: {bucket: b, key: k.tar.gz}}\n"
      "runtime: {language: nodejs, version: '20', handler: app.buy}\n";
  EXPECT_EQ(plan(spec, {{"app.js", "x"}}).hash, plan(spec, {{"other.js", "x"}}).hash);
  EXPECT_EQ(plan(spec, {{"app.js", "x"}}).hash, plan(spec, {{"index.js", "x"}}).hash);
  EXPECT_NE(plan(spec, {{"app.js", "x"}}).hash, plan(spec, {{"app.mjs", "x"}}).hash);
}

// What is wrong with a source of these files; empty: nothing.
class SourceFilesTest : public testing::Test {
 protected:
  std::string problem(const std::string& runtime, SourceTree tree) {
    const std::string spec =
        "source: {type: minio, minio: {bucket: b, key: k/}}\nruntime: {" + runtime + "}\n";
    const auto plan = plan_build("demo", "hello", parse_function(function(spec)), languages_,
                                 std::move(tree), {});
    return plan ? std::string() : plan.error().message;
  }
  Languages languages_ = Languages::load("").value();
};

TEST_F(SourceFilesTest, PythonNeedsTheHandlersModuleOrPackage) {
  const std::string main = "language: python, handler: main.handler";
  EXPECT_EQ(problem(main, {{"main.py", ""}, {"helper.py", ""}}), "");
  EXPECT_EQ(problem(main, {{"main/__init__.py", ""}, {"helper.py", ""}}), "");
  EXPECT_EQ(problem("language: python, handler: app.fn", {{"app.py", ""}, {"b.py", ""}}), "");
  EXPECT_EQ(problem("language: python", {{"main.py", ""}, {"b.py", ""}}), "");
  EXPECT_EQ(problem(main, {{"a.py", ""}, {"helper.py", ""}}),
            "the source has no main.py; it has a.py, helper.py; the handler main.handler is looked "
            "for in main.py or main/__init__.py");
  EXPECT_THAT(problem("language: python, handler: app.fn", {{"main.py", ""}, {"b.txt", ""}}),
              testing::HasSubstr("no app.py; it has b.txt, main.py"));
  EXPECT_THAT(problem("language: python", {{"src/main.py", ""}, {"b.txt", ""}}),
              testing::HasSubstr("no main.py; it has b.txt, src/main.py"));
}

TEST_F(SourceFilesTest, NodeNeedsTheHandlersFileInAnyOfItsEndings) {
  const std::string index = "language: nodejs, handler: index.handler";
  for (const char* file : {"index.js", "index.mjs", "index.cjs"}) {
    EXPECT_EQ(problem(index, {{file, ""}, {"package.json", "{}"}}), "") << file;
  }
  EXPECT_THAT(problem(index, {{"server.js", ""}, {"package.json", R"({"main": "server.js"})"}}),
              testing::HasSubstr("looked for in index.js or index.mjs or index.cjs"));
}

TEST_F(SourceFilesTest, GoNeedsPackageMain) {
  const std::string go = "language: go, handler: main.Handler";
  const char* const code = "// Package main serves.\npackage main // here\n";
  EXPECT_EQ(problem(go, {{"serve.go", code}, {"go.mod", ""}}), "");
  EXPECT_THAT(problem(go, {{"lib.go", "package lib\n"}, {"go.mod", ""}}),
              testing::HasSubstr("it has go.mod, lib.go; missing is a .go file of package main"));
  EXPECT_NE(problem(go, {{"cmd/main.go", code}, {"x_test.go", code}}), "");
}

TEST_F(SourceFilesTest, GosPackageClauseMayBeWrittenAnyhow) {
  const auto is_taken = [&](const std::string& code) {
    return problem("language: go", {{"serve.go", code}, {"go.mod", ""}}).empty();
  };
  for (const char* code :
       {"\xEF\xBB\xBFpackage main", "/* licence */ package main\n", "package\tmain;import \"os\"",
        "/*\npackage lib\n*/\npackage main\n", "//go:build linux\r\n\r\npackage main\r\n",
        "package/**/main", "package // here\nmain"}) {
    EXPECT_TRUE(is_taken(code)) << code;
  }
  for (const char* code : {"", "package", "packagemain", "package mainly", "package main_test",
                           "/* package main", "// package main", "package lib // package main"}) {
    EXPECT_FALSE(is_taken(code)) << code;
  }
}

TEST_F(SourceFilesTest, ALanguageOfTheUsersOwnMayFindHandlersAnyhow) {
  Language ruby{.name = "ruby",
                .default_handler = "main.handler",
                .main_file = "lib/main.rb",
                .extensions = {".rb"}};
  EXPECT_TRUE(with_main_file({{"any.rb", ""}, {"Gemfile", ""}}, ruby, "Orders.buy"));
  EXPECT_TRUE(with_main_file({{"lib/main.rb", ""}, {"Gemfile", ""}}, ruby, "Orders.buy"));
  EXPECT_FALSE(with_main_file({{"lib/other.rb", ""}, {"Gemfile", ""}}, ruby, "Orders.buy"));
}

TEST_F(SourceFilesTest, OnlyOurWrappersSayHowAModuleIsFound) {
  for (const std::string ending : {".py", ".js"}) {
    const std::string main = "function_app" + ending;
    const Language own{.name = "azure",
                       .default_handler = "main",
                       .main_file = main,
                       .extensions = {ending},
                       .wrapper_files = {{"host", ""}}};
    EXPECT_TRUE(with_main_file({{main, ""}, {"host.json", ""}}, own, ""));
    const auto single = with_main_file({{main, ""}}, own, "");
    ASSERT_TRUE(single);
    EXPECT_TRUE(single->contains(main));
  }
}

TEST_F(SourceFilesTest, AModuleOfPythonMayBeInstalled) {
  const std::string app = "language: python, handler: app.fn";
  EXPECT_EQ(problem(app, {{"a.py", ""}, {"requirements.txt", "app"}}), "");
  EXPECT_NE(problem(app, {{"src/a.py", ""}, {"requirements.txt", "app"}}), "");
  EXPECT_NE(problem(app, {{"a.py", ""}, {"b.py", ""}}), "");
}

TEST_F(SourceFilesTest, AModuleOfPythonMayBeCompiledOrOfAPackageWithoutInit) {
  for (const char* file : {"app.pyc", "app.cpython-311-x86_64-linux-gnu.so", "app/__init__.pyc"}) {
    EXPECT_EQ(problem("language: python, handler: app.fn", {{file, ""}, {"b.py", ""}}), "") << file;
  }
  EXPECT_NE(problem("language: python, handler: app.fn", {{"app/x.py", ""}, {"b.py", ""}}), "");
  EXPECT_NE(problem("language: python, handler: app.fn", {{"apps.pyc", ""}, {"b.py", ""}}), "");
  const Language& python = **languages_.find("python");
  EXPECT_TRUE(with_main_file({{"app/x.py", ""}, {"b.py", ""}}, python, "app.x.fn"));
  const auto single = with_main_file({{"app/x.py", ""}}, python, "app.x.fn");
  ASSERT_TRUE(single);
  EXPECT_TRUE(single->contains("app/x.py"));
}

TEST_F(SourceFilesTest, BoundsTheFoldersThatPathsImply) {
  std::string deep = "x.py";
  for (std::size_t i = 0; i < limits::kPathDepthMax; ++i) deep.insert(0, "d/");
  EXPECT_THAT(problem("language: python", {{"main.py", ""}, {deep, ""}}),
              testing::HasSubstr("levels deep"));
  SourceTree wide{{"main.py", ""}};
  std::string folders;
  for (int i = 0; i < 100; ++i) folders += "/d";
  for (int i = 0; i < 250; ++i) wide[std::to_string(i) + folders + "/x"] = "";
  EXPECT_THAT(problem("language: python", std::move(wide)),
              testing::HasSubstr("files and folders"));
}

using Events = std::vector<Result<resource::WatchEvent>>;

class ScriptedWatch final : public resource::Watch {
 public:
  explicit ScriptedWatch(Events events) : events_(std::move(events)) {}

  Task<Result<resource::WatchEvent>> next() override { co_return events_.at(next_++); }
  std::uint64_t version() const override { return 0; }

 private:
  Events events_;
  std::size_t next_ = 0;
};

// Only watches: one script each, and then the end.
class ScriptedStore final : public resource::Store {
 public:
  explicit ScriptedStore(std::vector<Events> scripts) : scripts_(std::move(scripts)) {}

  Task<Result<std::unique_ptr<resource::Watch>>> watch(resource::Type,
                                                       resource::WatchOptions options) override {
    asked.push_back(options.resource_version);
    if (asked.size() > scripts_.size()) co_return fail(Code::kCancelled, "the end");
    co_return std::make_unique<ScriptedWatch>(scripts_[asked.size() - 1]);
  }

  Task<Result<resource::ObjectPtr>> create(resource::Type, Json, resource::WriteOptions) override {
    co_return fail(Code::kUnsupported, "");
  }
  Task<Result<resource::ObjectPtr>> get(resource::Type, resource::ObjectKey) override {
    co_return fail(Code::kUnsupported, "");
  }
  Task<Result<resource::List>> list(resource::Type, resource::ListOptions) override {
    co_return fail(Code::kUnsupported, "");
  }
  Task<Result<resource::ObjectPtr>> update(resource::Type, Json, resource::WriteOptions) override {
    co_return fail(Code::kUnsupported, "");
  }
  Task<Result<resource::ObjectPtr>> patch(resource::Type, resource::ObjectKey, resource::PatchType,
                                          Json, resource::WriteOptions) override {
    co_return fail(Code::kUnsupported, "");
  }
  Task<Result<resource::Deleted>> remove(resource::Type, resource::ObjectKey,
                                         resource::DeleteOptions) override {
    co_return fail(Code::kUnsupported, "");
  }

  std::vector<std::uint64_t> asked;  // the version that each watch was to begin with

 private:
  std::vector<Events> scripts_;
};

class ChangeWatchTest : public testing::Test {
 protected:
  using Type = resource::WatchEvent::Type;

  static resource::WatchEvent event(Type type, std::uint64_t version) {
    const auto object = std::make_shared<const Json>(Json::object());
    return {type, type == Type::kBookmark ? nullptr : object, version};
  }
  static std::unexpected<Error> broken() { return fail(Code::kUnavailable, "cut"); }

  // The versions that the watches began with.
  std::vector<std::uint64_t> run(std::vector<Events> scripts) {
    ScriptedStore store(std::move(scripts));
    async::Loop loop("test");
    loop.start();
    ChangeWatch watch(
        store, {}, [this](const Json&, bool deleted) { changes_.push_back(deleted); },
        [this] { ++missed_; });
    loop.run_blocking(watch.run());
    return store.asked;
  }

  std::vector<bool> changes_;  // whether each was a deletion
  int missed_ = 0;
};

TEST_F(ChangeWatchTest, GoesOnWhereItBrokeAndTellsOfAGap) {
  const auto asked =
      run({{event(Type::kAdded, 1), event(Type::kBookmark, 5), event(Type::kModified, 6), broken()},
           {event(Type::kDeleted, 7), fail(Code::kExpired, "410")},
           {event(Type::kAdded, 8), event(Type::kBookmark, 9), fail(Code::kCancelled, "")}});
  EXPECT_THAT(asked, testing::ElementsAre(0, 6, 0));
  EXPECT_THAT(changes_, testing::ElementsAre(false, true));
  EXPECT_EQ(missed_, 1);
}

TEST_F(ChangeWatchTest, TellsOfAFirstStateThatCameLate) {
  run({{event(Type::kBookmark, 1), fail(Code::kCancelled, "")}});
  EXPECT_EQ(missed_, 0);
  run({{broken()}, {event(Type::kBookmark, 1), fail(Code::kCancelled, "")}});
  EXPECT_EQ(missed_, 1);
}

TEST_F(ChangeWatchTest, WaitsLongerForAServerThatBreaksEachWatchInItsState) {
  const auto begin = std::chrono::steady_clock::now();
  const auto asked = run({{event(Type::kAdded, 1), broken()}, {event(Type::kAdded, 1), broken()}});
  EXPECT_THAT(asked, testing::ElementsAre(0, 0, 0));
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(800 + 1600));
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

TEST(Status, RemembersTheSourcesVersion) {
  Json object = function(kInline);
  write_build_status(object, {.source_version = "v1", .attempt = 1});
  EXPECT_EQ(read_build_status(object).source_version, "v1");
}

// `name` is built from what is at `key` of the bucket "code".
Json built_from(const std::string& name, const std::string& key) {
  Json object = function("source: {type: minio, minio: {bucket: code, key: " + key +
                         "}}\nruntime: {language: python}\n");
  object["metadata"]["name"] = name;
  return object;
}

class SourceWatchTest : public testing::Test {
 protected:
  SourceWatchTest() {
    watch_.put(built_from("folder", "fn/"));
    watch_.put(built_from("file", "fn/main.py"));
    watch_.put(function(kInline));
  }
  static constexpr std::chrono::milliseconds kPause{600};
  base::VirtualClock clock_;
  SourceWatch watch_{clock_};
  const resource::ObjectKey folder_{"demo", "folder"};
  const resource::ObjectKey file_{"demo", "file"};
};

TEST_F(SourceWatchTest, NamesThoseThatAnObjectBelongsTo) {
  EXPECT_THAT(watch_.changed("code", "fn/main.py"), testing::ElementsAre(file_, folder_));
  EXPECT_THAT(watch_.changed("code", "fn/lib/a.py"), testing::ElementsAre(folder_));
  EXPECT_THAT(watch_.changed("code", "fn"), testing::IsEmpty());
  EXPECT_THAT(watch_.changed("code", "fn/main.pyc"), testing::ElementsAre(folder_));
  EXPECT_THAT(watch_.changed("other", "fn/main.py"), testing::IsEmpty());
  watch_.forget(folder_);
  EXPECT_THAT(watch_.changed("code", "fn/lib/a.py"), testing::IsEmpty());
}

TEST_F(SourceWatchTest, FollowsASpecThatNamesAnotherKey) {
  watch_.looked_at(folder_, 0);
  watch_.put(built_from("folder", "fn/"));  // a status was written
  EXPECT_FALSE(watch_.is_due(folder_));
  watch_.put(built_from("folder", "next/"));
  EXPECT_TRUE(watch_.is_due(folder_));
  EXPECT_THAT(watch_.changed("code", "fn/lib/a.py"), testing::IsEmpty());
  EXPECT_THAT(watch_.changed("code", "next/main.py"), testing::ElementsAre(folder_));
  watch_.put(function(kInline));
  EXPECT_FALSE(watch_.is_due({"demo", "hello"}));
}

TEST_F(SourceWatchTest, IsDueUntilItWasLookedAtAsItIsNow) {
  EXPECT_TRUE(watch_.is_due(file_));  // nobody looked since the start
  EXPECT_FALSE(watch_.has_changed(file_));
  watch_.looked_at(file_, watch_.changes(file_));
  EXPECT_FALSE(watch_.is_due(file_));
  watch_.changed("code", "fn/main.py");
  const auto before = watch_.changes(file_);
  watch_.changed("code", "fn/main.py");  // while it is looked at
  watch_.looked_at(file_, before);
  EXPECT_TRUE(watch_.is_due(file_));
  watch_.looked_at(file_, watch_.changes(file_));
  EXPECT_FALSE(watch_.is_due(file_));
}

TEST_F(SourceWatchTest, APrefixHasToBeQuietASingleObjectDoesNot) {
  watch_.changed("code", "fn/main.py");
  EXPECT_EQ(watch_.unsettled(file_).count(), 0);
  EXPECT_EQ(watch_.unsettled(folder_), std::chrono::seconds(1));
  clock_.advance(kPause);
  watch_.changed("code", "fn/requirements.txt");
  clock_.advance(kPause);
  EXPECT_EQ(watch_.unsettled(folder_), std::chrono::milliseconds(400));
  clock_.advance(kPause);
  EXPECT_EQ(watch_.unsettled(folder_).count(), 0);
  watch_.looked_at(folder_, watch_.changes(folder_));
  EXPECT_EQ(watch_.unsettled(folder_).count(), 0);
}

TEST_F(SourceWatchTest, APrefixThatIsWrittenAllTheTimeIsReadAllTheSame) {
  int writes = 0;
  do {
    watch_.changed("code", "fn/data");
    clock_.advance(kPause);
  } while (watch_.unsettled(folder_).count() > 0 && ++writes < 1000);
  EXPECT_EQ(writes, 49);  // 30 s
}

std::vector<std::string> types(const std::vector<LifecycleChange>& changes) {
  std::vector<std::string> out;
  out.reserve(changes.size());
  for (const LifecycleChange& change : changes) out.push_back(change.type);
  return out;
}

Json in_phase(const std::string& phase, std::int64_t generation, std::int64_t observed) {
  Json object = function(kInline);
  object["metadata"]["generation"] = generation;
  if (!phase.empty()) object["status"] = {{"phase", phase}, {"observedGeneration", observed}};
  return object;
}

TEST(Lifecycle, TellsOfTheFunctionFirstThenOfItsBuild) {
  const auto changes = lifecycle_changes(in_phase("", 1, 0), in_phase("Building", 1, 1),
                                         {{"lifecycle.build.started", {{"jobName", "j"}}}});
  EXPECT_THAT(types(changes),
              testing::ElementsAre("lifecycle.function.created", "lifecycle.build.started"));
  EXPECT_EQ(changes[0].data["phase"], "Building");
  EXPECT_EQ(changes[0].data["runtime"]["language"], "python");
  EXPECT_EQ(changes[1].data["jobName"], "j");
  EXPECT_EQ(changes[1].data["name"], "hello");
  EXPECT_EQ(changes[1].data["namespace"], "demo");
}

TEST(Lifecycle, TellsEachTransitionOnce) {
  const auto of = [](const Json& before, const Json& after) {
    return types(lifecycle_changes(before, after, {}));
  };
  EXPECT_THAT(of(in_phase("Ready", 1, 1), in_phase("Failed", 1, 1)),
              testing::ElementsAre("lifecycle.function.degraded"));
  EXPECT_THAT(of(in_phase("Failed", 1, 1), in_phase("Failed", 1, 1)), testing::IsEmpty());
  EXPECT_THAT(of(in_phase("Deploying", 1, 1), in_phase("Ready", 1, 1)),
              testing::ElementsAre("lifecycle.function.ready"));
  EXPECT_THAT(of(in_phase("Ready", 1, 1), in_phase("Ready", 1, 1)), testing::IsEmpty());
  EXPECT_THAT(of(in_phase("Ready", 2, 1), in_phase("Building", 2, 2)),
              testing::ElementsAre("lifecycle.function.updated"));
  EXPECT_THAT(of(in_phase("", 1, 0), in_phase("Failed", 1, 1)),
              testing::ElementsAre("lifecycle.function.created", "lifecycle.function.degraded"));
}

TEST(Lifecycle, AServiceIsUpdatedByARevisionAndByARollback) {
  const auto service = [](std::int64_t generation, const std::string& revision) {
    Json out = base::parse_yaml("metadata: {name: hello}").value();
    out["metadata"]["generation"] = generation;
    out["spec"]["traffic"] = Json::array(
        {revision.empty() ? Json{{"latestRevision", true}} : Json{{"revisionName", revision}}});
    return out;
  };
  const Json first = service(1, "");
  EXPECT_THAT(types(service_changes(nullptr, first)),
              testing::ElementsAre("lifecycle.service.created"));
  EXPECT_THAT(types(service_changes(&first, first)), testing::IsEmpty());
  EXPECT_THAT(types(service_changes(&first, service(2, ""))),
              testing::ElementsAre("lifecycle.service.updated"));
  const auto rollback = service_changes(&first, service(2, "hello-00001"));
  EXPECT_THAT(types(rollback),
              testing::ElementsAre("lifecycle.function.updated", "lifecycle.service.updated"));
  EXPECT_EQ(rollback[0].data["rollbackTarget"], "hello-00001");
  EXPECT_EQ(rollback[1].data["traffic"][0]["revisionName"], "hello-00001");
}

}  // namespace
}  // namespace hearth::lambda
