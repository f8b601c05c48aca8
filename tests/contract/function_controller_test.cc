// The function controller over both worlds' stores. The test plays who builds and who serves: it
// writes the status of Jobs and Knative Services.
#include "platform/lambda/function_controller.h"

#include <algorithm>
#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/async/blocking.h"
#include "platform/async/timer.h"
#include "platform/base/embedded_files.h"
#include "platform/base/yaml.h"
#include "platform/lambda/command_receiver.h"
#include "platform/resource/condition.h"
#include "platform/resource/well_known.h"
#include "tests/contract/worlds.h"

namespace hearth::contract {
namespace {

using namespace resource;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kCode = "def handler(event): pass\n";

// A bucket that tells of its writes when the test says so.
struct Bucket {
  std::map<std::string, std::string> objects;  // path below the source's key → content
  std::atomic<int> looks{0};                   // how often it was asked for its version

  static Task<Result<lambda::SourceTree>> read(Bucket* self) {
    if (self->objects.empty()) co_return fail(Code::kNotFound, "no objects under code/fn/");
    co_return self->objects;
  }
  static Task<Result<std::string>> version(Bucket* self) {
    ++self->looks;
    std::string out;
    for (const auto& [path, content] : self->objects) out += path + "=" + content + ";";
    co_return out;
  }
};

class FunctionControllerContract : public testing::TestWithParam<World> {
 protected:
  void SetUp() override {
    for (const char* kind : {"eventing.knative.dev_brokers", "eventing.knative.dev_triggers",
                             "serving.knative.dev_services"}) {
      const auto text = base::embedded_file("config/crds/" + std::string(kind) + ".yaml");
      create(kCustomResourceDefinitions, base::parse_yaml(*text).value());
    }
    start();
  }
  void TearDown() override { stop(); }

  void start() {
    lambda::FunctionControllerOptions options;
    options.sources.objects = [this](const lambda::ObjectLocation&) {
      return Bucket::read(&bucket_);
    };
    options.sources.objects_version = [this](const lambda::ObjectLocation&) {
      return Bucket::version(&bucket_);
    };
    options.emit = [this](const Json&, const std::string& type, const Json&) {
      told_.push_back(type.substr(std::string_view("lifecycle.").size()));
    };
    controller_ = std::make_unique<lambda::FunctionController>(
        kubernetes_.loop(), pool_, kubernetes_.store(), languages_, clock_, std::move(options));
    kubernetes_.run([](lambda::FunctionController& controller) -> Task<void> {
      controller.start();
      co_return;
    }(*controller_));
  }
  void stop() {
    kubernetes_.run(controller_->stop());
    controller_.reset();
  }

  void create(const Type& type, Json object) {
    const auto made = kubernetes_.wait(kubernetes_.store().create(type, std::move(object), {}));
    ASSERT_TRUE(made) << made.error().message;
  }
  void change(const Type& type, const std::string& name, const Json& patch,
              WriteOptions options = {}) {
    const auto done = kubernetes_.wait(
        kubernetes_.store().patch(type, {"demo", name}, PatchType::kMerge, patch, options));
    ASSERT_TRUE(done) << done.error().message;
  }
  Json get(const Type& type, const std::string& name) {
    const auto found = kubernetes_.wait(kubernetes_.store().get(type, {"demo", name}));
    return found ? Json(**found) : Json();
  }
  Json function() { return get(kFunctions, "fn"); }
  std::string phase() { return base::string_at(function(), {"status", "phase"}); }
  std::string build(std::string_view field) {
    return base::string_at(function(), {"status", "buildStatus", field});
  }

  static Task<void> pass(std::chrono::milliseconds time) { (void)co_await async::sleep_for(time); }
  void until(const std::function<bool()>& holds, const std::string& what) {
    for (int i = 0; i < 2000; ++i) {
      if (holds()) return;
      kubernetes_.run(pass(std::chrono::milliseconds(5)));
    }
    FAIL() << "not reached: " << what << "\n" << base::dump_json_pretty(function());
  }
  void wait_phase(const std::string& wanted) {
    until([&] { return phase() == wanted; }, wanted);
  }

  void apply_function(const std::string& key) {
    Json object = new_object(kFunctions, {"demo", "fn"});
    object["spec"] =
        base::parse_yaml("source: {type: minio, minio: {bucket: code, key: " + key +
                         "}}\nruntime: {language: python, version: '3.11', handler: main.handler}\n"
                         "eventing: {enabled: false}\n")
            .value();
    create(kFunctions, std::move(object));
  }
  // Tells the controller, as the embedded store does.
  void upload(const std::string& path, const std::string& content, const std::string& key) {
    kubernetes_.run([](FunctionControllerContract& self, std::string file, std::string bytes,
                       std::string object) -> Task<void> {
      self.bucket_.objects[file] = std::move(bytes);
      self.controller_->source_changed("code", object);
      co_return;
    }(*this, path, content, key));
  }
  void end_job(const std::string& name, const std::string& outcome, const std::string& message) {
    change(kJobs, name,
           {{"status",
             {{"conditions",
               Json::array({{{"type", outcome}, {"status", "True"}, {"message", message}}})}}}},
           {.subresource = Subresource::kStatus});
  }
  void serve() {
    until([&] { return !get(kKnativeServices, "fn").is_null(); }, "a Service");
    change(kKnativeServices, "fn",
           {{"status",
             {{"observedGeneration", generation_of(get(kKnativeServices, "fn"))},
              {"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}}}},
           {.subresource = Subresource::kStatus});
  }
  // From nothing to Ready; the name of its Job.
  std::string make_ready(const std::string& key) {
    bucket_.objects = {{"main.py", kCode}};
    apply_function(key);
    wait_phase("Building");
    std::string job = build("jobName");
    end_job(job, "Complete", "");
    serve();
    wait_phase("Ready");
    return job;
  }
  // What was told since it was asked for last, once there are so many.
  std::vector<std::string> told(std::size_t count) {
    std::vector<std::string> out;
    const auto copy = [](const std::vector<std::string>& from,
                         std::vector<std::string>& to) -> Task<void> {
      to = from;
      co_return;
    };
    until(
        [&] {
          kubernetes_.run(copy(told_, out));
          return out.size() >= heard_ + count;
        },
        "the events");
    out.erase(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(heard_));
    heard_ += out.size();
    return out;
  }

  Kubernetes kubernetes_{GetParam()};
  base::SystemClock clock_;
  async::BlockingPool pool_{1};
  lambda::Languages languages_ = lambda::Languages::load("").value();
  Bucket bucket_;
  std::vector<std::string> told_;  // the loop's
  std::size_t heard_ = 0;
  std::unique_ptr<lambda::FunctionController> controller_;
};

TEST_P(FunctionControllerContract, EachTransitionIsToldOnceAndInOrder) {
  make_ready("fn.py");
  EXPECT_THAT(told(5), ElementsAre("function.created", "build.started", "build.completed",
                                   "service.created", "function.ready"));
  stop();
  start();
  change(kFunctions, "fn", {{"spec", {{"env", Json::array({{{"name", "A"}, {"value", "b"}}})}}}});
  wait_phase("Deploying");
  serve();
  wait_phase("Ready");
  EXPECT_THAT(told(3), ElementsAre("function.updated", "service.updated", "function.ready"));
}

TEST_P(FunctionControllerContract, AFailureIsTold) {
  bucket_.objects = {{"main.py", kCode}};
  apply_function("fn.py");
  wait_phase("Building");
  end_job(build("jobName"), "Failed", "pip: no such package");
  wait_phase("Failed");
  EXPECT_THAT(told(4), ElementsAre("function.created", "build.started", "build.failed",
                                   "function.degraded"));
}

TEST_P(FunctionControllerContract, AnUploadRebuildsWhatIsReadyUnlessItIsTheSame) {
  const std::string first = make_ready("fn.py");
  upload("main.py", "changed = 1\n", "fn.py");
  until([&] { return build("jobName") != first; }, "another build");
  const std::string second = build("jobName");
  end_job(second, "Complete", "");
  wait_phase("Deploying");
  serve();
  wait_phase("Ready");
  const int looks = bucket_.looks;
  upload("main.py", "changed = 1\n", "fn.py");
  until([&] { return bucket_.looks > looks; }, "a look at the source");
  upload("main.py", "changed = 1\n", "other.py");
  upload("main.py", "changed = 2\n", "fn.py");
  until([&] { return build("jobName") != second; }, "a third build");
  const auto events = told(10);
  EXPECT_EQ(std::ranges::count(events, "build.started"), 3);
  EXPECT_EQ(bucket_.looks, looks + 2);
}

TEST_P(FunctionControllerContract, AnUploadRebuildsWhatFailed) {
  bucket_.objects = {{"main.py", kCode}};
  apply_function("fn.py");
  wait_phase("Building");
  const std::string first = build("jobName");
  end_job(first, "Failed", "no");
  wait_phase("Failed");
  upload("main.py", "better = 1\n", "fn.py");
  wait_phase("Building");
  EXPECT_NE(build("jobName"), first);
  EXPECT_EQ(base::int_at(function(), {"status", "buildStatus", "attempt"}), 1);
}

TEST_P(FunctionControllerContract, AStartFindsWhatNobodyTold) {
  const std::string first = make_ready("fn.py");
  stop();
  bucket_.objects["main.py"] = "changed = 1\n";
  start();
  until([&] { return build("jobName") != first; }, "another build");
}

TEST_P(FunctionControllerContract, AHalfFinishedUploadIsNamedAndThenReadWhole) {
  bucket_.objects = {{"requirements.txt", "six\n"}};
  apply_function("fn/");
  wait_phase("Pending");
  EXPECT_THAT(condition_of(function(), "SourceReady").message,
              HasSubstr("it has requirements.txt"));
  upload("main.py", kCode, "fn/main.py");  // enough to build, but more may come
  upload("lib.py", "x = 1\n", "fn/lib.py");
  wait_phase("Building");
  EXPECT_THAT(build("sourceVersion"), HasSubstr("lib.py"));
  EXPECT_EQ(condition_of(function(), "SourceReady").status, "True");
}

TEST_P(FunctionControllerContract, WhatServesGoesOnWhenItsSourceVanishes) {
  make_ready("fn.py");
  const std::string image = build("imageURI");
  kubernetes_.run([](Bucket& bucket, lambda::FunctionController& controller) -> Task<void> {
    bucket.objects.clear();
    controller.source_changed("code", "fn.py");
    co_return;
  }(bucket_, *controller_));
  until([&] { return condition_of(function(), "SourceReady").status == "False"; }, "the condition");
  EXPECT_EQ(phase(), "Ready");
  EXPECT_EQ(build("imageURI"), image);
  upload("main.py", kCode, "fn.py");
  until([&] { return condition_of(function(), "SourceReady").status == "True"; }, "its return");
  EXPECT_EQ(phase(), "Ready");
}

TEST_P(FunctionControllerContract, ACancelledRebuildLeavesWhatServes) {
  make_ready("fn.py");
  const std::string image = build("imageURI");
  upload("main.py", "changed = 1\n", "fn.py");
  wait_phase("Building");
  change(kFunctions, "fn",
         {{"metadata",
           {{"annotations", {{std::string(lambda::kCancelAnnotation), build("jobName")}}}}}});
  wait_phase("Ready");
  EXPECT_EQ(build("imageURI"), image);
  EXPECT_EQ(function()["status"]["serviceStatus"]["ready"], true);
  EXPECT_TRUE(is_condition_true(function(), "Ready"));
  EXPECT_EQ(condition_of(function(), "BuildReady").reason, "BuildCancelled");
  EXPECT_TRUE(get(kJobs, build("jobName")).is_null());
  EXPECT_THAT(told(8),
              ElementsAre("function.created", "build.started", "build.completed", "service.created",
                          "function.ready", "build.started", "build.cancelled", "function.ready"));
}

TEST_P(FunctionControllerContract, ACancelledContentCanBeBuiltLater) {
  make_ready("fn.py");
  upload("main.py", "changed = 1\n", "fn.py");
  wait_phase("Building");
  const std::string cancelled = build("jobName");
  change(kFunctions, "fn",
         {{"metadata", {{"annotations", {{std::string(lambda::kCancelAnnotation), cancelled}}}}}});
  wait_phase("Ready");
  change(kFunctions, "fn",
         {{"metadata", {{"annotations", {{std::string(lambda::kRebuildAnnotation), "now"}}}}}});
  wait_phase("Building");
  EXPECT_EQ(build("jobName"), cancelled);
  until([&] { return annotation_of(function(), lambda::kCancelAnnotation).empty(); },
        "the wish to be taken back");
  end_job(cancelled, "Complete", "");
  wait_phase("Deploying");
  EXPECT_EQ(build("error"), "");
}

TEST_P(FunctionControllerContract, ACommandForWhatIsNotThereIsRefusedWithItsReason) {
  lambda::CommandReceiver receiver(kubernetes_.store(), clock_, {});
  const auto refusal = [&](const std::string& command, const Json& data) {
    event::CloudEvent event{.id = "1", .source = "/test"};
    event.type = "io.knative.lambda.command." + command;
    event.data = base::dump_json(data);
    const Status done = kubernetes_.wait(receiver.apply(std::move(event)));
    return done ? Error{} : done.error();
  };
  apply_function("fn.py");
  for (const char* command : {"build.start", "build.cancel", "function.rollback"}) {
    const Error error = refusal(command, {{"name", "fnn"}, {"namespace", "demo"}});
    EXPECT_EQ(error.code, Code::kNotFound) << command;
    EXPECT_THAT(error.message, HasSubstr("did you mean \"fn\"?"));
  }
  const Error error =
      refusal("function.deploy",
              {{"metadata", {{"name", "x"}, {"namespace", "no"}}}, {"spec", function()["spec"]}});
  EXPECT_EQ(error.code, Code::kNotFound);
  EXPECT_THAT(error.message, HasSubstr("\"no\""));
}

INSTANTIATE_TEST_SUITE_P(Worlds, FunctionControllerContract,
                         testing::Values(World::kEmbedded, World::kRemote),
                         [](const auto& world) { return name_of_world(world.param); });

}  // namespace
}  // namespace hearth::contract
