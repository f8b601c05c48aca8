#include "platform/lambda/function_controller.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "platform/async/blocking.h"
#include "platform/async/loop.h"
#include "platform/async/task_group.h"
#include "platform/base/limits.h"
#include "platform/lambda/change_watch.h"
#include "platform/lambda/command_receiver.h"
#include "platform/lambda/function.h"
#include "platform/lambda/function_status.h"
#include "platform/lambda/function_validation.h"
#include "platform/lambda/lifecycle_event.h"
#include "platform/lambda/owned_objects.h"
#include "platform/lambda/source_reader.h"
#include "platform/lambda/source_watch.h"
#include "platform/lambda/status_note.h"
#include "platform/resource/condition.h"
#include "platform/resource/controller.h"
#include "platform/resource/informer.h"
#include "platform/resource/well_known.h"
#include "platform/telemetry/log.h"

namespace hearth::lambda {

using namespace resource;

namespace {

constexpr telemetry::Log kLog("function");

// A source that is not there yet is looked for again: when the store says that it appeared, and at
// this pace for sources nobody tells of (git, S3 elsewhere).
constexpr std::chrono::seconds kSourceRetry{15};

// One reconcile of one function: its object, the parsed spec, what is to be written back.
struct Pass {
  Json function;
  FunctionSpec spec;
  BuildStatus build;
  Requeue requeue;
  std::vector<LifecycleChange> told;  // sent once the status is written

  std::string ns() const { return namespace_of(function); }
  std::string name() const { return name_of(function); }
  // The earliest of what its steps wish.
  void look_again(std::chrono::nanoseconds delay) {
    requeue = requeue ? std::min(*requeue, delay) : delay;
  }
  void tell(const char* type, Json data) { told.push_back({type, std::move(data)}); }
  void tell(std::vector<LifecycleChange> changes) {
    std::ranges::move(changes, std::back_inserter(told));
  }
};

}  // namespace

struct FunctionController::State {
  State(async::Loop& l, async::BlockingPool& p, Store& s, const Languages& langs,
        const base::Clock& c, FunctionControllerOptions o)
      : loop(l),
        pool(p),
        store(s),
        languages(langs),
        clock(c),
        options(std::move(o)),
        reader(s, langs, options.sources, options.gcs_endpoint),
        watched(c),
        functions(l, s, kFunctions),
        jobs(l, s, kJobs),
        services(l, s, kKnativeServices),
        triggers(
            s, kTriggers,
            [this](const Json& trigger, bool deleted) {
              if (deleted || is_edited(trigger)) wake_owner(trigger);
            },
            [this] { wake_all(); }),
        brokers(
            s, kBrokers,
            [this](const Json& broker, bool deleted) {
              if (deleted) wake_users(broker);
            },
            [this] { wake_all(); }),
        tasks(l),
        controller(l, "function", [this](ObjectKey key) { return reconcile(std::move(key)); }) {}

  Task<Result<Requeue>> reconcile(ObjectKey key);
  Task<Status> advance(Pass& pass);
  Task<Result<bool>> prepare(Pass& pass);
  Task<Status> ensure_eventing(Pass& pass);
  Task<Result<bool>> ensure_image(Pass& pass);
  Task<bool> rebuild_if_changed(Pass& pass);
  Task<void> begin_build(Pass& pass, std::int64_t attempt);
  Task<bool> launch(Pass& pass, BuildPlan plan, std::int64_t attempt);
  Task<Result<BuildPlan>> resolve(const Pass& pass);
  Task<Status> store_context(const Json& function, BuildPlan& plan);
  Task<void> discard_context(Json function, std::string job_name);
  Task<Status> start_job(Pass& pass, BuildPlan plan, std::int64_t attempt);
  Task<Status> follow_job(Pass& pass);
  Task<Status> cancel_build(Pass& pass);
  Task<Result<bool>> keep_serving(Pass& pass);
  Task<Status> fail_build(Pass& pass, Condition outcome);
  Task<Status> await_retry(Pass& pass);
  Task<Status> pin_traffic(Pass& pass);
  Task<Status> roll_forward(Pass& pass);
  Task<Result<ObjectPtr>> own_service(const Pass& pass);
  Task<Status> deploy(Pass& pass);
  void follow_service(Pass& pass, const Json& service);
  Task<Status> remove_owned(Json function, Type type, std::string name);
  Task<Result<Requeue>> finalize(Json function);
  void condition(Pass& pass, const char* type, bool fine, const char* reason,
                 std::string message = {});
  void emit(const Json& before, Pass& pass);
  void note(const Json& function, EventNote what);
  void watch_owned(Informer& informer);
  void wake_owner(const Json& object);
  void wake_users(const Json& broker);
  void wake_all();

  async::Loop& loop;
  async::BlockingPool& pool;
  Store& store;
  const Languages& languages;
  const base::Clock& clock;
  FunctionControllerOptions options;
  SourceReader reader;
  SourceWatch watched;
  Informer functions;
  Informer jobs;
  Informer services;
  ChangeWatch triggers;
  ChangeWatch brokers;
  async::TaskGroup tasks;
  Controller controller;
  bool synced = false;
};

FunctionController::FunctionController(async::Loop& loop, async::BlockingPool& pool, Store& store,
                                       const Languages& languages, const base::Clock& clock,
                                       FunctionControllerOptions options)
    : state_(std::make_shared<State>(loop, pool, store, languages, clock, std::move(options))) {}

FunctionController::~FunctionController() = default;

void FunctionController::start() {
  State& state = *state_;
  state.functions.on_change([&state](const ObjectPtr& object, bool deleted) {
    const ObjectKey key = key_of(*object);
    if (deleted)
      state.watched.forget(key);
    else
      state.watched.put(*object);
    state.controller.enqueue(key);
  });
  state.watch_owned(state.jobs);
  state.watch_owned(state.services);
  for (Informer* informer : {&state.functions, &state.jobs, &state.services}) {
    state.tasks.spawn(informer->run());
  }
  // Not waited for: functions without events need no Knative Eventing.
  for (ChangeWatch* watch : {&state.triggers, &state.brokers}) state.tasks.spawn(watch->run());
  state.tasks.spawn([](State& s) -> Task<void> {
    co_await s.functions.wait_synced();
    co_await s.jobs.wait_synced();
    co_await s.services.wait_synced();
    s.controller.start();
    s.synced = true;
  }(state));
}

void FunctionController::State::watch_owned(Informer& informer) {
  informer.on_change([this](const ObjectPtr& object, bool) { wake_owner(*object); });
}

void FunctionController::State::wake_owner(const Json& object) {
  const auto owner = controller_of(object);
  if (owner && owner->kind == kFunctions.kind) {
    controller.enqueue({namespace_of(object), owner->name});
  }
}

void FunctionController::State::wake_users(const Json& broker) {
  for (const ObjectPtr& function : functions.in_namespace(namespace_of(broker))) {
    if (uses_broker(*function, name_of(broker))) controller.enqueue(key_of(*function));
  }
}

void FunctionController::State::wake_all() {
  if (!synced) return;  // the start looks at all of them
  for (const auto& [key, function] : functions.all()) controller.enqueue(key);
}

Task<void> FunctionController::stop() {
  const auto state = state_;
  co_await state->controller.stop();
  state->tasks.cancel();
  co_await state->tasks.drain();
}

bool FunctionController::is_synced() const { return state_->synced; }

void FunctionController::source_changed(const std::string& bucket, const std::string& key) {
  for (const ObjectKey& function : state_->watched.changed(bucket, key)) {
    // Once for all objects of an upload, not once for each.
    state_->controller.enqueue_after(function, state_->watched.unsettled(function));
  }
}

void FunctionController::State::condition(Pass& pass, const char* type, bool fine,
                                          const char* reason, std::string message) {
  set_condition(pass.function, {type, fine ? "True" : "False", reason, std::move(message)},
                clock.wall());
}

void FunctionController::State::emit(const Json& before, Pass& pass) {
  if (!options.emit) return;
  for (LifecycleChange& change : lifecycle_changes(before, pass.function, std::move(pass.told))) {
    options.emit(pass.function, std::move(change.type), std::move(change.data));
  }
}

void FunctionController::State::note(const Json& function, EventNote what) {
  what.component = "function-controller";
  if (options.record) options.record(function, std::move(what));
}

Task<Result<Requeue>> FunctionController::State::reconcile(ObjectKey key) {
  // From the store, not from the informer: a change of a Job may arrive before the change of the
  // status that names it, and what was decided a moment ago would be decided again.
  const auto current = co_await store.get(kFunctions, key);
  if (!current && current.error().code == Code::kNotFound) co_return Requeue();
  if (!current) co_return fail(current.error());
  const Json& function = **current;
  if (is_being_deleted(function)) co_return co_await finalize(function);
  Pass pass{function, parse_function(function), read_build_status(function), {}, {}};
  if (add_finalizer(pass.function, kFunctionFinalizer)) {
    // The watch brings the stored form back; going on with it then keeps one writer per step.
    HEARTH_CO_CHECK_OK(co_await store.update(kFunctions, pass.function, {}));
    co_return Requeue();
  }
  const Status advanced = co_await advance(pass);
  pass.function["status"]["observedGeneration"] = generation_of(pass.function);
  write_build_status(pass.function, pass.build);
  note_rollback(pass.function);
  const Status written = co_await update_status(store, kFunctions, key, pass.function["status"]);
  if (!written && written.error().code != Code::kNotFound) co_return fail(written.error());
  for (EventNote& what : status_notes(function, pass.function)) {
    note(pass.function, std::move(what));
  }
  emit(function, pass);
  if (!advanced) co_return fail(advanced.error());
  co_return pass.requeue;
}

Task<Status> FunctionController::State::advance(Pass& pass) {
  const auto has_image = co_await prepare(pass);
  if (!has_image || !*has_image) {
    // A rollback waits for nothing: it is asked for when what comes next is broken.
    const Status pinned = co_await pin_traffic(pass);
    co_return has_image ? pinned : fail(has_image.error());
  }
  HEARTH_CO_CHECK_OK(co_await roll_forward(pass));
  const Status deployed = co_await deploy(pass);
  if (!deployed) {
    condition(pass, "DeployReady", false, "ServiceCreationFailed", deployed.error().message);
    set_phase(pass.function, "Deploying", "ServiceCreationFailed", deployed.error().message,
              clock.wall());
  }
  co_return deployed;
}

// The steps up to an image, in order; each leaves its condition. False at the first that has to
// wait.
Task<Result<bool>> FunctionController::State::prepare(Pass& pass) {
  if (const auto errors = validate_function(pass.function); !errors.empty()) {
    const std::string message = errors.front().field + ": " + errors.front().message;
    condition(pass, "SourceReady", false, "ValidationFailed", message);
    set_phase(pass.function, "Failed", "ValidationFailed", message, clock.wall());
    co_return false;
  }
  if (const Status eventing = co_await ensure_eventing(pass); !eventing) {
    condition(pass, "EventingReady", false, "EventingFailed", eventing.error().message);
    set_phase(pass.function, "Pending", "EventingFailed", eventing.error().message, clock.wall());
    co_return fail(eventing.error());
  }
  co_return co_await ensure_image(pass);
}

Task<Status> FunctionController::State::ensure_eventing(Pass& pass) {
  if (!pass.spec.eventing_enabled) {
    remove_condition(pass.function, "EventingReady");
    co_return co_await remove_owned(pass.function, kTriggers, trigger_name(pass.name()));
  }
  // The namespace's broker is shared: whoever comes first makes it, nobody changes it.
  auto broker = co_await store.create(kBrokers, render_broker(pass.ns(), pass.spec), {});
  if (!broker && broker.error().code != Code::kAlreadyExists) co_return fail(broker.error());
  HEARTH_CO_CHECK_OK(co_await apply(store, kTriggers, render_trigger(pass.function, pass.spec)));
  condition(pass, "EventingReady", true, "EventingReady");
  co_return Status();
}

// True when an image for the current source is known.
Task<Result<bool>> FunctionController::State::ensure_image(Pass& pass) {
  if (pass.spec.source.type == SourceType::kImage) {
    pass.build.image = pass.spec.source.image;
    condition(pass, "SourceReady", true, "SourceReady");
    condition(pass, "BuildReady", true, "BuildSkipped");
    co_return true;
  }
  const std::string rebuild = annotation_of(pass.function, kRebuildAnnotation);
  const bool current =
      pass.build.source_hash == source_hash(pass.function) && pass.build.rebuild == rebuild;
  if (!current || pass.build.job_name.empty()) {
    co_await begin_build(pass, 1);
    co_return false;
  }
  if (co_await rebuild_if_changed(pass)) co_return false;
  const bool asked = annotation_of(pass.function, kCancelAnnotation) == pass.build.job_name;
  if (is_cancelled(pass.build) || (asked && pass.build.image.empty())) {
    HEARTH_CO_CHECK_OK(co_await cancel_build(pass));
    co_return false;
  }
  if (!pass.build.retry_at.empty()) {
    const auto due = base::parse_rfc3339(pass.build.retry_at);
    // More than it ever waits is left only after the clock was set back: then at once.
    const auto wait = due ? *due - clock.wall() : std::chrono::nanoseconds(0);
    if (wait.count() > 0 && wait <= build_retry_delay(pass.build.attempt)) {
      pass.look_again(wait);
      HEARTH_CO_CHECK_OK(co_await await_retry(pass));
      co_return false;
    }
    co_await begin_build(pass, pass.build.attempt + 1);
    co_return false;
  }
  if (!pass.build.image.empty()) co_return true;
  HEARTH_CO_CHECK_OK(co_await follow_job(pass));
  co_return !pass.build.image.empty();
}

// True when the objects of the source are others than those that were built, and a new build has
// begun. What serves goes on serving while a source can't be read.
Task<bool> FunctionController::State::rebuild_if_changed(Pass& pass) {
  const ObjectKey key = key_of(pass.function);
  if (!watched.is_due(key)) co_return false;
  if (const auto wait = watched.unsettled(key); wait.count() > 0) {
    pass.look_again(wait);
    co_return false;
  }
  const bool told = watched.has_changed(key);
  const std::uint64_t changes = watched.changes(key);
  std::string version = co_await reader.version(pass.ns(), pass.spec);
  const bool known = !version.empty() && version == pass.build.source_version;
  if (known) condition(pass, "SourceReady", true, "BuildContextCreated");
  if (known || (version.empty() && !told)) {
    watched.looked_at(key, changes);
    co_return false;
  }
  auto plan = co_await resolve(pass);
  if (!plan) {
    condition(pass, "SourceReady", false, "BuildContextFailed", plan.error().message);
    const Code code = plan.error().code;
    // All else stays as it is until the next change.
    const bool passes = code == Code::kUnavailable || code == Code::kDeadlineExceeded;
    if (passes) pass.look_again(kSourceRetry);
    if (!passes) watched.looked_at(key, changes);
    co_return false;
  }
  condition(pass, "SourceReady", true, "BuildContextCreated");
  const bool same = plan->hash == pass.build.content_hash;
  if (!same && !co_await launch(pass, std::move(*plan), 1)) co_return true;
  pass.build.source_version = std::move(version);
  watched.looked_at(key, changes);
  co_return !same;
}

Task<void> FunctionController::State::begin_build(Pass& pass, std::int64_t attempt) {
  const ObjectKey key = key_of(pass.function);
  if (const auto wait = watched.unsettled(key); wait.count() > 0) {
    set_phase(pass.function, "Pending", "SourceChanging",
              "what is below the source's prefix is being written", clock.wall());
    pass.look_again(wait);
    co_return;
  }
  const std::uint64_t changes = watched.changes(key);
  // Told before it is read: what changes in between is then seen as a change.
  std::string version = co_await reader.version(pass.ns(), pass.spec);
  auto plan = co_await resolve(pass);
  watched.looked_at(key, changes);
  if (!plan) {
    condition(pass, "SourceReady", false, "BuildContextFailed", plan.error().message);
    set_phase(pass.function, "Pending", "BuildContextFailed", plan.error().message, clock.wall());
    pass.look_again(kSourceRetry);
    co_return;
  }
  condition(pass, "SourceReady", true, "BuildContextCreated");
  if (co_await launch(pass, std::move(*plan), attempt)) {
    pass.build.source_version = std::move(version);
  }
}

// False when there is no Job, which is tried again.
Task<bool> FunctionController::State::launch(Pass& pass, BuildPlan plan, std::int64_t attempt) {
  const Status started = co_await start_job(pass, std::move(plan), attempt);
  if (!started) {
    condition(pass, "BuildReady", false, "JobCreationFailed", started.error().message);
    set_phase(pass.function, "Pending", "JobCreationFailed", started.error().message, clock.wall());
    pass.look_again(kSourceRetry);
    co_return false;
  }
  set_condition(pass.function, {"BuildReady", "Unknown", "Building", pass.build.job_name},
                clock.wall());
  set_phase(pass.function, "Building", "Building", "job " + pass.build.job_name, clock.wall());
  pass.tell("lifecycle.build.started", {{"jobName", pass.build.job_name},
                                        {"buildId", pass.build.job_name},
                                        {"phase", "Started"},
                                        {"startedAt", base::format_rfc3339(clock.wall())}});
  co_return true;
}

Task<Result<BuildPlan>> FunctionController::State::resolve(const Pass& pass) {
  HEARTH_CO_TRY(tree, co_await reader.read(pass.ns(), pass.spec));
  // Archiving and hashing are for a worker; everything it needs goes with it by value.
  HEARTH_CO_TRY(plan, co_await pool.run([ns = pass.ns(), name = pass.name(), spec = pass.spec,
                                         langs = &languages, moved = std::move(tree),
                                         settings = options.build]() mutable {
    return plan_build(ns, name, spec, *langs, std::move(moved), settings);
  }));
  co_return plan;
}

// To where the Job finds it: a ConfigMap, or the bucket when it is too large for one.
Task<Status> FunctionController::State::store_context(const Json& function, BuildPlan& plan) {
  const std::string uri = context_uri(function, plan, options.render);
  if (uri.empty()) {
    const auto applied = co_await apply(store, kConfigMaps, render_build_context(function, plan));
    co_return applied ? Status() : fail(applied.error());
  }
  if (!options.contexts.put) {
    co_return fail(Code::kTooLarge,
                   fmt::format("the build context has {} bytes packed; at most {} fit into a "
                               "ConfigMap, and there is no bucket for larger ones",
                               plan.context_tar_gz.size(), limits::kConfigMapContextBytesMax));
  }
  const std::string key =
      context_prefix(namespace_of(function), name_of(function)) + plan.hash + ".tar.gz";
  co_return co_await options.contexts.put(options.render.context_bucket, key,
                                          std::move(plan.context_tar_gz));
}

// A context serves one Job and goes with it. What an earlier failure left goes as well: all that is
// the function's. A failure here must not fail the function.
Task<void> FunctionController::State::discard_context(Json function, std::string job_name) {
  if (job_name.empty() || !options.contexts.remove) co_return;
  const auto job = co_await store.get(kJobs, {namespace_of(function), std::move(job_name)});
  if (!job || annotation_of(**job, kContextAnnotation).empty()) co_return;
  const Status removed = co_await options.contexts.remove(
      options.render.context_bucket, context_prefix(namespace_of(function), name_of(function)));
  if (!removed) kLog.warn("context_not_removed", {{"error", removed.error().message}});
}

Task<Status> FunctionController::State::start_job(Pass& pass, BuildPlan plan,
                                                  std::int64_t attempt) {
  const Json job = render_build_job(pass.function, pass.spec, plan, attempt, options.render);
  if (annotation_of(pass.function, kCancelAnnotation) == name_of(job)) {
    // It ended an earlier Job for the same content and would end this one, too.
    HEARTH_CO_TRY(patched,
                  co_await store.patch(kFunctions, key_of(pass.function), PatchType::kMerge,
                                       {{"metadata",
                                         {{"annotations",
                                           {{std::string(kCancelAnnotation), nullptr},
                                            {std::string(kCancelReasonAnnotation), nullptr}}}}}},
                                       {}));
  }
  co_await discard_context(pass.function, pass.build.job_name);
  HEARTH_CO_CHECK_OK(co_await store_context(pass.function, plan));
  const bool asked = pass.spec.force_rebuild ||
                     pass.build.rebuild != annotation_of(pass.function, kRebuildAnnotation);
  auto created = co_await store.create(kJobs, job, {});
  if (!created && created.error().code == Code::kAlreadyExists) {
    // The same content was built before: its finished Job answers, unless a rebuild asks.
    if (asked) {
      HEARTH_CO_CHECK_OK(co_await store.remove(kJobs, key_of(job), {}));
      created = co_await store.create(kJobs, job, {});
    } else {
      created = co_await store.get(kJobs, key_of(job));
    }
  }
  if (!created) co_return fail(created.error());
  Json& status = pass.function["status"]["buildStatus"];
  if (asked || pass.build.job_name != name_of(job)) {
    status["startedAt"] = base::format_rfc3339(clock.wall());
  }
  pass.build.source_hash = source_hash(pass.function);
  pass.build.rebuild = annotation_of(pass.function, kRebuildAnnotation);
  pass.build.attempt = attempt;
  pass.build.job_name = name_of(job);
  pass.build.content_hash = plan.hash;
  pass.build.image.clear();
  pass.build.error.clear();
  pass.build.retry_at.clear();
  status.erase("completedAt");
  co_return Status();
}

Task<Status> FunctionController::State::follow_job(Pass& pass) {
  const auto found = co_await store.get(kJobs, {pass.ns(), pass.build.job_name});
  if (!found && found.error().code == Code::kNotFound) {
    // Deleted under us: it is made anew.
    pass.build.job_name.clear();
    pass.look_again(std::chrono::milliseconds(100));
    co_return Status();
  }
  if (!found) co_return fail(found.error());
  const Json& job = **found;
  const Condition outcome = job_outcome(job);
  if (outcome.type.empty()) {
    set_phase(pass.function, "Building", "Building", "job " + pass.build.job_name, clock.wall());
    co_return Status();
  }
  co_await discard_context(pass.function, pass.build.job_name);
  pass.function["status"]["buildStatus"]["completedAt"] = base::format_rfc3339(clock.wall());
  if (outcome.type == "Failed") {
    co_return co_await fail_build(pass, outcome);
  }
  pass.build.image = annotation_of(job, "lambda.knative.io/pull-uri");
  pass.build.error.clear();
  condition(pass, "BuildReady", true, "BuildSucceeded");
  pass.tell("lifecycle.build.completed", {{"jobName", pass.build.job_name},
                                          {"imageUri", pass.build.image},
                                          {"phase", "Completed"},
                                          {"buildId", pass.build.job_name}});
  co_return Status();
}

// The Job goes, and with it the work; nothing is tried again until a rebuild is asked for or the
// source is another. What was built before goes on serving.
Task<Status> FunctionController::State::cancel_build(Pass& pass) {
  if (!is_cancelled(pass.build)) {
    co_await discard_context(pass.function, pass.build.job_name);
    (void)co_await store.remove(kJobs, {pass.ns(), pass.build.job_name}, {});
    pass.build.error = cancellation(pass.function);
    pass.build.retry_at.clear();
    pass.told.push_back(build_ended(BuildEnd::kCancelled, pass.build.job_name, pass.build.error));
  }
  HEARTH_CO_TRY(serves, co_await keep_serving(pass));
  condition(pass, "BuildReady", false, "BuildCancelled",
            pass.build.error + (serves ? "; served is still " + pass.build.image : ""));
  if (!serves) {
    set_phase(pass.function, "Failed", "BuildCancelled", pass.build.error, clock.wall());
  }
  co_return Status();
}

// The status says what the Service serves, without a change of the Service: a newer spec has no
// image to go with. False when there is no Service of this function.
Task<Result<bool>> FunctionController::State::keep_serving(Pass& pass) {
  HEARTH_CO_TRY(service, co_await own_service(pass));
  if (!service) co_return false;
  pass.build.image = served_image(*service);
  follow_service(pass, *service);
  co_return true;
}

// Null when there is none of this function.
Task<Result<ObjectPtr>> FunctionController::State::own_service(const Pass& pass) {
  auto service = co_await store.get(kKnativeServices, {pass.ns(), pass.name()});
  if (!service && service.error().code != Code::kNotFound) co_return fail(service.error());
  if (!service || !is_owned_by(**service, pass.function)) co_return ObjectPtr();
  co_return service;
}

Task<Status> FunctionController::State::fail_build(Pass& pass, Condition outcome) {
  const auto delay = build_retry_delay(pass.build.attempt);
  pass.build.error = outcome.message.empty() ? "Build job failed" : outcome.message;
  pass.build.retry_at = base::format_rfc3339(clock.wall() + delay);
  condition(pass, "BuildReady", false, "BuildFailed", pass.build.error);
  pass.look_again(delay);
  const bool is_late = outcome.reason == "DeadlineExceeded";
  pass.told.push_back(build_ended(is_late ? BuildEnd::kTimedOut : BuildEnd::kFailed,
                                  pass.build.job_name, pass.build.error));
  co_return co_await await_retry(pass);
}

// What serves is looked at each time: a rollback changes it while a build is waited for.
Task<Status> FunctionController::State::await_retry(Pass& pass) {
  HEARTH_CO_TRY(service, co_await own_service(pass));
  const std::string served = service ? routed_revision(*service) : "";
  set_phase(pass.function, "Failed", "BuildFailed",
            fmt::format("attempt {} failed, next at {}{}", pass.build.attempt, pass.build.retry_at,
                        served.empty() ? "" : fmt::format("; {} still serves", served)),
            clock.wall());
  co_return Status();
}

// Only the traffic: the rest of a newer spec goes with its image. The Service's change wakes the
// function, whose status then follows it.
Task<Status> FunctionController::State::pin_traffic(Pass& pass) {
  const std::string target = annotation_of(pass.function, kRollbackTargetAnnotation);
  if (target.empty()) co_return Status();
  HEARTH_CO_TRY(service, co_await own_service(pass));
  if (!service || pinned_revision(*service) == target) co_return Status();
  HEARTH_CO_TRY(pinned, co_await store.patch(kKnativeServices, key_of(*service), PatchType::kMerge,
                                             {{"spec", {{"traffic", traffic_to(target)}}}}, {}));
  pass.tell(service_changes(service.get(), *pinned));
  co_return Status();
}

// Just before what is newer than a rollback is deployed, not when it is begun: until then, and when
// its build fails, the pin holds.
Task<Status> FunctionController::State::roll_forward(Pass& pass) {
  Json next = pass.function;
  if (!end_rollback(next, pass.build.content_hash)) co_return Status();
  // With its version: a rollback that was asked for meanwhile is not taken away.
  HEARTH_CO_CHECK_OK(co_await store.update(kFunctions, next, {}));
  pass.function = std::move(next);
  co_return Status();
}

Task<Status> FunctionController::State::deploy(Pass& pass) {
  std::string handler = pass.spec.handler;
  if (pass.spec.source.type != SourceType::kImage && handler.empty()) {
    HEARTH_CO_TRY(language, languages.find(pass.spec.language));
    handler = language->default_handler;
  }
  auto account = co_await store.create(kServiceAccounts, render_service_account(pass.ns()), {});
  if (!account && account.error().code != Code::kAlreadyExists) co_return fail(account.error());
  Json wanted =
      render_service(pass.function, pass.spec, pass.build.image,
                     pass.spec.source.type == SourceType::kImage ? "" : handler, options.render);
  wanted["spec"]["traffic"] = traffic_to(annotation_of(pass.function, kRollbackTargetAnnotation));
  const auto known = co_await store.get(kKnativeServices, {pass.ns(), pass.name()});
  if (!known && known.error().code != Code::kNotFound) co_return fail(known.error());
  if (known && !is_owned_by(**known, pass.function)) {
    co_return fail(Code::kConflict, fmt::format("a Knative Service \"{}\" exists that is not this "
                                                "function's",
                                                pass.name()));
  }
  HEARTH_CO_TRY(service, co_await apply(store, kKnativeServices, std::move(wanted)));
  pass.tell(service_changes(known ? known->get() : nullptr, *service));
  follow_service(pass, *service);
  co_return Status();
}

void FunctionController::State::follow_service(Pass& pass, const Json& service) {
  const bool was_ready = is_condition_true(pass.function, "ServiceReady");
  write_service_status(pass.function, service);
  write_service_outcome(pass.function, service, clock.wall());
  if (!was_ready && is_condition_true(pass.function, "ServiceReady")) {
    pass.told.push_back(service_ready(service));
  }
}

// Only what this function controls: a user's own object of that name is not ours to delete.
Task<Status> FunctionController::State::remove_owned(Json function, Type type, std::string name) {
  const ObjectKey key{namespace_of(function), std::move(name)};
  auto object = co_await store.get(type, key);
  // Anything but "not there" is no answer: the function must not go before what it owns.
  if (!object && object.error().code != Code::kNotFound) co_return fail(object.error());
  if (!object || !is_owned_by(**object, function)) co_return Status();
  const auto removed = co_await store.remove(type, key, {});
  if (!removed && removed.error().code != Code::kNotFound) co_return fail(removed.error());
  co_return Status();
}

// Deletes what the function owns, then lets it go. Everything is owned by reference as well; doing
// it here in order gives the caller a delete that is done when it says so.
Task<Result<Requeue>> FunctionController::State::finalize(Json function) {
  if (!has_finalizer(function, kFunctionFinalizer)) co_return Requeue();
  const ObjectKey key = key_of(function);
  Json status = function.value("status", Json::object());
  status["phase"] = "Deleting";
  (void)co_await update_status(store, kFunctions, key, std::move(status));
  const std::vector<std::pair<Type, std::string>> owned{
      {kTriggers, trigger_name(key.name)},
      {kKnativeServices, key.name},
      {kConfigMaps, build_context_name(key.name)}};
  for (const auto& [type, name] : owned) {
    HEARTH_CO_CHECK_OK(co_await remove_owned(function, type, name));
  }
  co_await discard_context(function, read_build_status(function).job_name);
  if (options.emit) {
    options.emit(function, "lifecycle.service.deleted",
                 {{"name", key.name}, {"namespace", key.ns}, {"serviceName", key.name}});
    options.emit(function, "lifecycle.function.deleted",
                 {{"name", key.name}, {"namespace", key.ns}, {"phase", "Deleting"}});
  }
  auto current = co_await store.get(kFunctions, key);
  if (!current) co_return Requeue();
  Json next = **current;
  remove_finalizer(next, kFunctionFinalizer);
  auto updated = co_await store.update(kFunctions, std::move(next), {});
  if (!updated && updated.error().code != Code::kNotFound) co_return fail(updated.error());
  co_return Requeue();
}

}  // namespace hearth::lambda
