// The function controller over both worlds' stores. The test plays who builds and who serves: it
// writes the status of Jobs and Knative Services.
#include "platform/lambda/function_controller.h"

#include <algorithm>
#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/async/blocking.h"
#include "platform/async/task_group.h"
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
using testing::Not;

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
    for (const auto& [path, content] : self->objects) {
      out.append(path).append("=").append(content).append(";");
    }
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

  void apply_function(const std::string& key, const std::string& eventing = "{enabled: false}") {
    Json object = new_object(kFunctions, {"demo", "fn"});
    object["spec"] =
        base::parse_yaml("source: {type: minio, minio: {bucket: code, key: " + key +
                         "}}\nruntime: {language: python, version: '3.11', handler: main.handler}\n"
                         "eventing: " +
                         eventing + "\n")
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
  void remove(const Type& type, const std::string& name) {
    const auto done = kubernetes_.wait(kubernetes_.store().remove(type, {"demo", name}, {}));
    ASSERT_TRUE(done) << done.error().message;
  }
  void serve() {
    until([&] { return !get(kKnativeServices, "fn").is_null(); }, "a Service");
    change(kKnativeServices, "fn",
           {{"status",
             {{"observedGeneration", generation_of(get(kKnativeServices, "fn"))},
              {"latestReadyRevisionName", "fn-00001"},
              {"conditions", Json::array({{{"type", "Ready"}, {"status", "True"}}})}}}},
           {.subresource = Subresource::kStatus});
  }
  // From nothing to Ready; the name of its Job.
  std::string make_ready(const std::string& key, const std::string& eventing = "{enabled: false}") {
    bucket_.objects = {{"main.py", kCode}};
    apply_function(key, eventing);
    wait_phase("Building");
    std::string job = build("jobName");
    end_job(job, "Complete", "");
    serve();
    wait_phase("Ready");
    return job;
  }
  void annotate(std::string_view name, const std::string& value) {
    change(kFunctions, "fn", {{"metadata", {{"annotations", {{std::string(name), value}}}}}});
  }
  void ask_for_rollback() {
    annotate(lambda::kRollbackTargetAnnotation, "fn-00001");
    until([&] { return traffic("revisionName") == "fn-00001"; }, "the pin");
  }
  std::string rollback_target() {
    return annotation_of(function(), lambda::kRollbackTargetAnnotation);
  }
  // Ready, and its traffic pinned to fn-00001.
  void roll_back() {
    make_ready("fn.py");
    ask_for_rollback();
    serve();
    until([&] { return condition_of(function(), "Ready").message.contains("pinned to fn-00001"); },
          "a word of the pin");
  }
  // Of the Service's first target.
  Json traffic(const char* field) {
    return get(kKnativeServices, "fn")["spec"]["traffic"][0].value(field, Json());
  }
  // How a command posted to the receiver ends.
  Status command(const std::string& name, const Json& data) {
    event::CloudEvent event{.id = std::to_string(++commands_), .source = "/test"};
    event.type = "io.knative.lambda.command." + name;
    event.data = base::dump_json(data);
    return kubernetes_.wait(receiver_.apply(std::move(event)));
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
  lambda::CommandReceiver receiver_{kubernetes_.store(), clock_, {}};
  int commands_ = 0;
};

TEST_P(FunctionControllerContract, ACommandThatComesTwiceAtOnceIsAppliedOnce) {
  const auto both = [](lambda::CommandReceiver& receiver, async::Loop& loop,
                       event::CloudEvent event, Status& first, Status& second) -> Task<void> {
    const auto keep = [](lambda::CommandReceiver& to, event::CloudEvent what,
                         Status& out) -> Task<void> { out = co_await to.apply(std::move(what)); };
    async::TaskGroup tasks(loop);
    tasks.spawn(keep(receiver, event, first));
    tasks.spawn(keep(receiver, std::move(event), second));
    co_await tasks.drain();
  };
  event::CloudEvent event{.id = "same", .source = "/test"};
  event.type = "io.knative.lambda.command.function.deploy";
  event.data = base::dump_json(
      {{"metadata", {{"name", "twice"}, {"namespace", "demo"}}},
       {"spec",
        {{"source", {{"type", "inline"}, {"inline", {{"code", "def handler(e): pass\n"}}}}},
         {"runtime",
          {{"language", "python"}, {"version", "3.11"}, {"handler", "main.handler"}}}}}});
  Status first;
  Status second;
  kubernetes_.run(both(receiver_, kubernetes_.loop(), event, first, second));
  EXPECT_TRUE(first);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kUnavailable);
  EXPECT_TRUE(kubernetes_.wait(receiver_.apply(event))) << "known by now";
  EXPECT_EQ(get(kFunctions, "twice")["metadata"]["generation"], 1);
}

TEST_P(FunctionControllerContract, EachTransitionIsToldOnceAndInOrder) {
  make_ready("fn.py");
  EXPECT_THAT(told(6), ElementsAre("function.created", "build.started", "build.completed",
                                   "service.created", "service.ready", "function.ready"));
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
  const auto events = told(11);
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
  EXPECT_THAT(told(9), ElementsAre("function.created", "build.started", "build.completed",
                                   "service.created", "service.ready", "function.ready",
                                   "build.started", "build.cancelled", "function.ready"));
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
  apply_function("fn.py");
  for (const char* name : {"build.start", "build.cancel", "function.rollback"}) {
    const Status done = command(name, {{"name", "fnn"}, {"namespace", "demo"}});
    ASSERT_FALSE(done) << name;
    EXPECT_EQ(done.error().code, Code::kNotFound) << name;
    EXPECT_THAT(done.error().message, HasSubstr("did you mean \"fn\"?"));
  }
  const Status done =
      command("function.deploy",
              {{"metadata", {{"name", "x"}, {"namespace", "no"}}}, {"spec", function()["spec"]}});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kNotFound);
  EXPECT_THAT(done.error().message, HasSubstr("\"no\""));
}

TEST_P(FunctionControllerContract, ACommandGivesNoSecretAway) {
  const auto deploy = [&](const Json& spec) {
    return command("function.deploy",
                   {{"metadata", {{"name", "fn"}, {"namespace", "demo"}}}, {"spec", spec}});
  };
  apply_function("fn.py");
  const Json harmless = function()["spec"];
  Json spec = harmless;
  spec["env"] =
      base::parse_yaml("[{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]").value();
  const Status wanted = deploy(spec);
  ASSERT_FALSE(wanted);
  EXPECT_EQ(wanted.error().code, Code::kForbidden);
  EXPECT_THAT(wanted.error().message, HasSubstr("spec.env[0].valueFrom.secretKeyRef: Forbidden"));
  EXPECT_THAT(wanted.error().message, HasSubstr("apply it over the Kubernetes API"));
  EXPECT_EQ(function()["spec"], harmless);

  change(kFunctions, "fn", {{"spec", spec}});  // whoever may, does
  EXPECT_FALSE(deploy(harmless)) << "what names a Secret is not the sender's to change";
  const Json target{{"name", "fn"}, {"namespace", "demo"}};
  for (const char* name : {"build.start", "build.retry", "function.rollback"}) {
    const Status done = command(name, target);
    ASSERT_FALSE(done) << name;
    EXPECT_EQ(done.error().code, Code::kForbidden) << name;
  }
  EXPECT_EQ(function()["spec"], spec);
  EXPECT_EQ(annotation_of(function(), lambda::kRebuildAnnotation), "");
  EXPECT_TRUE(command("build.cancel", target));
  EXPECT_TRUE(command("function.delete", target));
}

TEST_P(FunctionControllerContract, ACancelledBuildSaysWhy) {
  bucket_.objects = {{"main.py", kCode}};
  apply_function("fn.py");
  wait_phase("Building");
  Json target{{"name", "fn"}, {"namespace", "demo"}, {"reason", "wrong branch"}};
  EXPECT_TRUE(command("build.cancel", target));
  wait_phase("Failed");
  EXPECT_EQ(build("error"), "Cancelled: wrong branch");
  EXPECT_EQ(condition_of(function(), "BuildReady").message, "Cancelled: wrong branch");
  EXPECT_EQ(condition_of(function(), "Ready").message, "Cancelled: wrong branch");
  EXPECT_TRUE(command("build.start", target));
  wait_phase("Building");
  EXPECT_EQ(annotation_of(function(), lambda::kCancelReasonAnnotation), "");
  target["reason"] = std::string(lambda::kCancelReasonBytesMax + 1, 'x');
  EXPECT_FALSE(command("build.cancel", target));
}

TEST_P(FunctionControllerContract, AFailedRebuildSaysWhatStillServes) {
  make_ready("fn.py");
  upload("main.py", "changed = 1\n", "fn.py");
  wait_phase("Building");
  end_job(build("jobName"), "Failed", "no");
  wait_phase("Failed");
  EXPECT_THAT(condition_of(function(), "Ready").message, HasSubstr("; fn-00001 still serves"));
}

TEST_P(FunctionControllerContract, ARollbackEndsWithTheNextSpec) {
  roll_back();
  change(kFunctions, "fn", {{"spec", {{"env", Json::array({{{"name", "A"}, {"value", "b"}}})}}}});
  until([&] { return traffic("latestRevision") == true; }, "the roll forward");
  EXPECT_EQ(rollback_target(), "");
  serve();
  until([&] { return phase() == "Ready" && condition_of(function(), "Ready").message.empty(); },
        "no word of a pin");
}

TEST_P(FunctionControllerContract, ARollbackEndsWithAnotherContentOnceThatIsBuilt) {
  roll_back();
  const auto holds = [&](const char* when) {
    EXPECT_EQ(traffic("revisionName"), "fn-00001") << when;
    EXPECT_EQ(rollback_target(), "fn-00001") << when;
  };
  upload("main.py", "broken = 1\n", "fn.py");
  wait_phase("Building");
  holds("while it builds");
  end_job(build("jobName"), "Failed", "no");
  wait_phase("Failed");
  holds("after a failed build");
  upload("main.py", "changed = 1\n", "fn.py");
  wait_phase("Building");
  holds("while the next builds");
  end_job(build("jobName"), "Complete", "");
  until([&] { return traffic("latestRevision") == true; }, "the roll forward");
  EXPECT_EQ(rollback_target(), "");
}

TEST_P(FunctionControllerContract, ARollbackWorksAfterACancelledRebuild) {
  make_ready("fn.py");
  upload("main.py", "changed = 1\n", "fn.py");
  wait_phase("Building");
  annotate(lambda::kCancelAnnotation, build("jobName"));
  wait_phase("Ready");
  EXPECT_THAT(condition_of(function(), "Ready").message, Not(HasSubstr("pinned")));
  const Json before = get(kKnativeServices, "fn")["spec"]["template"];
  ask_for_rollback();
  EXPECT_EQ(get(kKnativeServices, "fn")["spec"]["template"], before);
  serve();
  until([&] { return condition_of(function(), "Ready").message.contains("pinned to fn-00001"); },
        "a word of the pin");
}

TEST_P(FunctionControllerContract, ARollbackWorksWhileABuildRunsFailsAndRetries) {
  make_ready("fn.py");
  upload("main.py", "changed = 1\n", "fn.py");
  wait_phase("Building");
  ask_for_rollback();
  EXPECT_EQ(phase(), "Building");
  end_job(build("jobName"), "Failed", "no");
  wait_phase("Failed");
  EXPECT_EQ(traffic("revisionName"), "fn-00001");
  annotate(lambda::kRollbackTargetAnnotation, "fn-00000");
  until([&] { return traffic("revisionName") == "fn-00000"; }, "another pin while it waits");
  EXPECT_EQ(phase(), "Failed");
}

TEST_P(FunctionControllerContract, AFailedBuildNamesNoRevisionOfADeletedService) {
  make_ready("fn.py");
  upload("main.py", "changed = 1\n", "fn.py");
  wait_phase("Building");
  remove(kKnativeServices, "fn");
  end_job(build("jobName"), "Failed", "no");
  wait_phase("Failed");
  EXPECT_THAT(condition_of(function(), "Ready").message, Not(HasSubstr("still serves")));
}

TEST_P(FunctionControllerContract, WhatBringsItsEventsComesBack) {
  make_ready("fn.py", "{brokerName: main}");
  const auto uid = [&](const Type& type, const char* name) {
    const Json object = get(type, name);
    return object.is_null() ? std::string() : uid_of(object);
  };
  const auto comes_back = [&](const Type& type, const char* name) {
    const std::string former = uid(type, name);
    remove(type, name);
    until(
        [&] {
          const std::string now = uid(type, name);
          return !now.empty() && now != former;
        },
        name);
  };
  comes_back(kTriggers, "fn-trigger");
  comes_back(kBrokers, "main");
  const Json filters = get(kTriggers, "fn-trigger")["spec"]["filters"];
  change(kTriggers, "fn-trigger",
         {{"spec", {{"filters", Json::array({{{"exact", {{"type", "x"}}}}})}}}});
  until([&] { return get(kTriggers, "fn-trigger")["spec"]["filters"] == filters; }, "its filter");
}

TEST_P(FunctionControllerContract, ItsRetriesAreItsTriggersAndFollowItsSpec) {
  make_ready("fn.py", "{brokerName: main, dlq: {retryMaxAttempts: 2}}");
  const auto retry = [&](const Type& type, const char* name) {
    return base::int_at(get(type, name), {"spec", "delivery", "retry"});
  };
  EXPECT_EQ(retry(kTriggers, "fn-trigger"), 1);
  EXPECT_EQ(retry(kBrokers, "main"), 4) << "it is for all functions of the namespace";
  change(kFunctions, "fn", {{"spec", {{"eventing", {{"dlq", {{"retryMaxAttempts", 7}}}}}}}});
  until([&] { return retry(kTriggers, "fn-trigger") == 6; }, "six retries");
  change(kFunctions, "fn", {{"spec", {{"eventing", {{"dlq", nullptr}}}}}});
  until([&] { return !get(kTriggers, "fn-trigger")["spec"].contains("delivery"); },
        "the Broker's retries");
}

INSTANTIATE_TEST_SUITE_P(Worlds, FunctionControllerContract,
                         testing::Values(World::kEmbedded, World::kRemote),
                         [](const auto& world) { return name_of_world(world.param); });

}  // namespace
}  // namespace hearth::contract
