#include "emulator/workloads/job_controller.h"

#include <atomic>
#include <map>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emulator/builder/builder.h"
#include "emulator/runtime/log_store.h"
#include "platform/async/blocking.h"
#include "platform/async/loop.h"
#include "platform/async/signal.h"
#include "platform/async/task_group.h"
#include "platform/base/bytes.h"
#include "platform/base/file.h"
#include "platform/base/random_id.h"
#include "platform/base/remove_tree.h"
#include "platform/base/text.h"
#include "platform/base/unique_fd.h"
#include "platform/oci/layer_reader.h"
#include "platform/resource/condition.h"
#include "platform/resource/controller.h"
#include "platform/resource/informer.h"
#include "platform/resource/well_known.h"

namespace hearth::workloads {

using namespace resource;

namespace {

constexpr std::string_view kS3Scheme = "s3://";

bool is_finished(const Json& job) {
  return is_condition_true(job, "Complete") || is_condition_true(job, "Failed");
}

const Json* kaniko_container(const Json& job) {
  const Json* containers = base::find(job, {"spec", "template", "spec", "containers"});
  if (containers == nullptr || !containers->is_array()) return nullptr;
  for (const Json& container : *containers) {
    const std::string image = base::string_at(container, {"image"});
    if (base::string_at(container, {"name"}) == "kaniko" || image.contains("/kaniko")) {
      return &container;
    }
  }
  return nullptr;
}

// The flags that matter here; others tune a real Kaniko and are without meaning for this builder.
struct KanikoArguments {
  std::string context;  // a URI; empty: the workspace that an init container fills
  std::string dockerfile = "Dockerfile";
  std::vector<std::string> destinations;
  std::map<std::string, std::string> build_args;
  bool cache = true;
  std::vector<std::string> all;  // as they are
};

KanikoArguments parse_arguments(const Json& container) {
  KanikoArguments out;
  const Json* args = base::find(container, {"args"});
  if (args == nullptr || !args->is_array()) return out;
  for (const Json& item : *args) {
    if (!item.is_string()) continue;
    const std::string text = item.get<std::string>();
    out.all.push_back(text);
    const auto at = text.find('=');
    const std::string name = text.substr(0, at);
    const std::string value = at == std::string::npos ? "" : text.substr(at + 1);
    if (name == "--dockerfile") out.dockerfile = value.substr(value.rfind('/') + 1);
    if (name == "--context") out.context = value;
    if (name == "--destination") out.destinations.push_back(value);
    if (name == "--cache") out.cache = value != "false";
    if (name == "--build-arg") {
      const auto equals = value.find('=');
      out.build_args[value.substr(0, equals)] =
          equals == std::string::npos ? "" : value.substr(equals + 1);
    }
  }
  return out;
}

// A variable that the Job gives Kaniko in plain text.
std::string environment_of(const Json& job, std::string_view name) {
  const Json* env = base::find(*kaniko_container(job), {"env"});
  if (env == nullptr || !env->is_array()) return {};
  for (const Json& item : *env) {
    if (base::string_at(item, {"name"}) == name) return base::string_at(item, {"value"});
  }
  return {};
}

std::string context_config_map(const Json& job) {
  const Json* volumes = base::find(job, {"spec", "template", "spec", "volumes"});
  if (volumes == nullptr || !volumes->is_array()) return {};
  for (const Json& volume : *volumes) {
    const std::string name = base::string_at(volume, {"configMap", "name"});
    if (!name.empty()) return name;
  }
  return {};
}

Status unpack_context(const std::string& archive, const std::filesystem::path& folder,
                      const builder::BuildRequest& request) {
  const base::UniqueFd file(::memfd_create("context", MFD_CLOEXEC));
  if (!file) return fail(system_error(errno, "memfd"));
  HEARTH_CHECK_OK(base::write_all(file.get(), archive));
  ::lseek(file.get(), 0, SEEK_SET);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const auto unpacked = oci::extract_archive(
      file.get(), folder, {.checkpoint = [&request] { return builder::check_time(request); }});
  if (!unpacked) return fail(with_context(unpacked.error(), "build context"));
  return {};
}

std::string pod_name(const Json& job) { return name_of(job) + "-pod"; }

}  // namespace

struct JobController::State {
  State(async::Loop& l, async::BlockingPool& p, Store& s, builder::Builder& b, runtime::LogStore& g,
        const base::Clock& c, JobControllerOptions o)
      : loop(l),
        pool(p),
        store(s),
        builder(b),
        logs(g),
        clock(c),
        options(std::move(o)),
        jobs(l, s, kJobs),
        tasks(l),
        controller(
            l, "job", [this](ObjectKey key) { return reconcile(std::move(key)); },
            options.parallel_builds) {}

  Task<Result<Requeue>> reconcile(ObjectKey key);
  Task<Result<std::string>> read_context(Json job, std::string uri);
  Task<Result<builder::BuildResult>> build(Json job, std::filesystem::path folder,
                                           std::shared_ptr<std::atomic<bool>> cancelled);
  Task<Result<Requeue>> expire(const Json& job);
  Task<void> mirror_pod(Json job, std::string phase);
  void note(const Json& job, EventType type, std::string reason, std::string message);
  Task<Status> finish(ObjectKey key, Condition condition, std::string digest);

  async::Loop& loop;
  async::BlockingPool& pool;
  Store& store;
  builder::Builder& builder;
  runtime::LogStore& logs;
  const base::Clock& clock;
  JobControllerOptions options;
  Informer jobs;
  async::TaskGroup tasks;
  Controller controller;
  std::map<std::string, std::shared_ptr<std::atomic<bool>>> running;  // by Job uid
  BuildMetrics metrics;
};

JobController::JobController(async::Loop& loop, async::BlockingPool& pool, Store& store,
                             builder::Builder& builder, runtime::LogStore& logs,
                             const base::Clock& clock, JobControllerOptions options)
    : state_(std::make_shared<State>(loop, pool, store, builder, logs, clock, std::move(options))) {
}
const BuildMetrics& JobController::metrics() const { return state_->metrics; }

JobController::~JobController() = default;

void JobController::start() {
  State& state = *state_;
  state.jobs.on_change([&state](const ObjectPtr& job, bool deleted) {
    const auto it = state.running.find(uid_of(*job));
    if (deleted && it != state.running.end()) it->second->store(true);
    if (!deleted) state.controller.enqueue(key_of(*job));
  });
  state.tasks.spawn(state.jobs.run());
  state.tasks.spawn([](State& s) -> Task<void> {
    co_await s.jobs.wait_synced();
    s.controller.start();
  }(state));
}

Task<void> JobController::stop() {
  const auto state = state_;
  for (auto& [uid, cancelled] : state->running) cancelled->store(true);
  co_await state->controller.stop();
  state->tasks.cancel();
  co_await state->tasks.drain();
}

void JobController::State::note(const Json& job, EventType type, std::string reason,
                                std::string message) {
  if (!options.record) return;
  options.record(job, {type, std::move(reason), std::move(message), "job-controller"});
}

Task<Result<Requeue>> JobController::State::reconcile(ObjectKey key) {
  const ObjectPtr job = jobs.get(key);
  if (!job || is_being_deleted(*job)) co_return Requeue();
  if (is_finished(*job)) co_return co_await expire(*job);
  if (kaniko_container(*job) == nullptr) {
    const Condition failed{"Failed", "True", "NotSupported",
                           "only image builds (Kaniko Jobs) run here; other Jobs need a cluster"};
    HEARTH_CO_CHECK_OK(co_await finish(key, failed, ""));
    note(*job, EventType::kWarning, failed.reason, failed.message);
    co_return Requeue();
  }
  const std::string uid = uid_of(*job);
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  running[uid] = cancelled;
  Json status{{"active", 1}, {"startTime", base::format_rfc3339(clock.wall())}};
  (void)co_await update_status(store, kJobs, key, std::move(status));
  co_await mirror_pod(*job, "Running");
  note(*job, EventType::kNormal, "SuccessfulCreate", "Created pod: " + pod_name(*job));
  const std::filesystem::path folder = options.scratch / ("context-" + base::random_hex(6));
  const auto started = std::chrono::steady_clock::now();
  auto result = co_await build(*job, folder, cancelled);
  (result ? metrics.succeeded : metrics.failed).observe(std::chrono::steady_clock::now() - started);
  (void)base::remove_tree(folder);
  running.erase(uid);
  logs.close(pod_name(*job));
  // Cut off by the daemon's own end: the next start builds again.
  if (!result && result.error().code == Code::kCancelled) co_return Requeue();
  const Condition condition =
      result ? Condition{"Complete", "True", "", ""}
             : Condition{"Failed", "True",
                         result.error().code == Code::kDeadlineExceeded ? "DeadlineExceeded"
                                                                        : "BuildFailed",
                         result.error().message};
  const Status finished = co_await finish(key, condition, result ? result->digest.text() : "");
  if (!finished && finished.error().code != Code::kNotFound) co_return fail(finished.error());
  co_await mirror_pod(*job, result ? "Succeeded" : "Failed");
  if (result)
    note(*job, EventType::kNormal, "Completed", "Job completed");
  else
    note(*job, EventType::kWarning, condition.reason, condition.message);
  co_return Requeue();
}

Task<Result<std::string>> JobController::State::read_context(Json job, std::string uri) {
  if (uri.starts_with(kS3Scheme)) {
    const std::string place = uri.substr(kS3Scheme.size());
    const auto slash = place.find('/');
    if (slash == 0 || slash == std::string::npos || slash + 1 == place.size()) {
      co_return fail(Code::kInvalid, fmt::format("--context={} names no bucket and key", uri));
    }
    auto bytes = co_await options.fetch_context(
        {environment_of(job, "S3_ENDPOINT"), place.substr(0, slash), place.substr(slash + 1)});
    if (!bytes) co_return fail(with_context(bytes.error(), "build context"));
    co_return bytes;
  }
  if (!uri.empty() && !uri.starts_with("dir://")) {
    co_return fail(
        Code::kUnsupported,
        fmt::format("--context={}: builds here take dir:// with a ConfigMap, or s3://", uri));
  }
  auto context = co_await store.get(kConfigMaps, {namespace_of(job), context_config_map(job)});
  if (!context) co_return fail(with_context(context.error(), "build context"));
  auto archive = base::from_base64(base::string_at(**context, {"binaryData", "context.tar.gz"}));
  if (!archive) co_return fail(Code::kInvalid, "the build context has no context.tar.gz");
  co_return std::move(*archive);
}

Task<Result<builder::BuildResult>> JobController::State::build(
    Json job, std::filesystem::path folder, std::shared_ptr<std::atomic<bool>> cancelled) {
  const KanikoArguments arguments = parse_arguments(*kaniko_container(job));
  // The time limit counts from here.
  builder::BuildRequest request{.id = name_of(job),
                                .context = folder,
                                .dockerfile_path = arguments.dockerfile,
                                .destinations = arguments.destinations,
                                .build_args = arguments.build_args,
                                .arguments = arguments.all,
                                .cache = arguments.cache,
                                .cancelled = std::move(cancelled)};
  request.timeout =
      std::chrono::seconds(base::int_at(job, {"spec", "activeDeadlineSeconds"}).value_or(1800));
  HEARTH_CO_TRY(archive, co_await read_context(job, arguments.context));
  HEARTH_CO_CHECK_OK(co_await pool.run([bytes = std::move(archive), folder, request] {
    return unpack_context(bytes, folder, request);
  }));
  request.log = [this, id = pod_name(job)](std::string_view line) {
    loop.post([this, id, text = std::string(line) + "\n"] { logs.append(id, text); });
  };
  co_return co_await builder.build(std::move(request));
}

Task<Status> JobController::State::finish(ObjectKey key, Condition condition, std::string digest) {
  HEARTH_CO_TRY(current, co_await store.get(kJobs, key));
  Json next = *current;
  set_condition(next, condition, clock.wall());
  Json& status = next["status"];
  status["active"] = 0;
  status.erase("active");
  status[condition.type == "Complete" ? "succeeded" : "failed"] = 1;
  if (condition.type == "Complete") status["completionTime"] = base::format_rfc3339(clock.wall());
  if (!digest.empty()) status["imageDigest"] = digest;
  auto updated =
      co_await store.update(kJobs, std::move(next), {.subresource = Subresource::kStatus});
  if (!updated) co_return fail(updated.error());
  co_return Status();
}

// ttlSecondsAfterFinished, as Kubernetes' TTL controller.
Task<Result<Requeue>> JobController::State::expire(const Json& job) {
  const auto ttl = base::int_at(job, {"spec", "ttlSecondsAfterFinished"});
  if (!ttl) co_return Requeue();
  base::WallTime finished{};
  for (const char* type : {"Complete", "Failed"}) {
    for (const Json& item : job["status"]["conditions"]) {
      if (base::string_at(item, {"type"}) != type) continue;
      finished =
          base::parse_rfc3339(base::string_at(item, {"lastTransitionTime"})).value_or(finished);
    }
  }
  const auto due = finished + std::chrono::seconds(*ttl);
  if (due > clock.wall()) co_return Requeue(due - clock.wall());
  const std::string pod = pod_name(job);
  auto removed = co_await store.remove(kJobs, key_of(job), {});
  if (!removed && removed.error().code != Code::kNotFound) co_return fail(removed.error());
  logs.remove(pod);
  co_return Requeue();
}

Task<void> JobController::State::mirror_pod(Json job, std::string phase) {
  Json pod = new_object(kPods, {namespace_of(job), pod_name(job)});
  if (const Json* labels = base::find(job, {"metadata", "labels"}))
    pod["metadata"]["labels"] = *labels;
  pod["metadata"]["labels"]["job-name"] = name_of(job);
  pod["metadata"]["labels"][resource::kJobNameLabel] = name_of(job);
  pod["metadata"]["labels"][resource::kControllerUidLabel] = uid_of(job);
  set_controller(pod, job);
  pod["spec"] = {
      {"containers",
       {{{"name", "kaniko"}, {"image", base::string_at(*kaniko_container(job), {"image"})}}}},
      {"nodeName", "local"},
      {"restartPolicy", "Never"}};
  (void)co_await store.create(kPods, std::move(pod), {});
  Json container{{"name", "kaniko"}, {"ready", phase == "Running"}, {"restartCount", 0}};
  if (phase == "Running")
    container["state"]["running"] = Json::object();
  else {
    container["state"]["terminated"] = {{"reason", phase == "Succeeded" ? "Completed" : "Error"},
                                        {"exitCode", phase == "Succeeded" ? 0 : 1}};
  }
  (void)co_await update_status(store, kPods, {namespace_of(job), pod_name(job)},
                               {{"phase", phase}, {"containerStatuses", Json::array({container})}});
}

}  // namespace hearth::workloads
