#include "emulator/emulator.h"

#include <algorithm>
#include <future>

#include <fmt/format.h>

#include "emulator/access_log.h"
#include "emulator/apiserver/certificates.h"
#include "emulator/apiserver/field_check.h"
#include "emulator/apiserver/kubeconfig.h"
#include "emulator/apiserver/server.h"
#include "emulator/blobs/blob_store.h"
#include "emulator/builder/builder.h"
#include "emulator/eventing/admission.h"
#include "emulator/eventing/eventing.h"
#include "emulator/first_objects.h"
#include "emulator/front_page.h"
#include "emulator/gateway/gateway.h"
#include "emulator/journal/journal.h"
#include "emulator/listen_address.h"
#include "emulator/metrics_page.h"
#include "emulator/objectstore/service.h"
#include "emulator/platform_kinds.h"
#include "emulator/registry/registry.h"
#include "emulator/runtime/runtime.h"
#include "emulator/serving/admission.h"
#include "emulator/serving/pod_mirror.h"
#include "emulator/serving/serving.h"
#include "emulator/source_access.h"
#include "emulator/state_folder.h"
#include "emulator/store/namespace_contents.h"
#include "emulator/store/sqlite_store.h"
#include "emulator/well_known_names.h"
#include "emulator/workloads/job_controller.h"
#include "platform/async/blocking.h"
#include "platform/async/completion.h"
#include "platform/async/loop.h"
#include "platform/async/task_group.h"
#include "platform/async/timer.h"
#include "platform/base/clock_watch.h"
#include "platform/base/file.h"
#include "platform/base/remove_tree.h"
#include "platform/http/client.h"
#include "platform/http/server.h"
#include "platform/http/tls.h"
#include "platform/lambda/command_receiver.h"
#include "platform/lambda/function_controller.h"
#include "platform/lambda/function_validation.h"
#include "platform/lambda/lifecycle_event.h"
#include "platform/resource/event_recorder.h"
#include "platform/resource/well_known.h"
#include "platform/telemetry/log.h"

namespace hearth::emulator {

namespace {

constexpr telemetry::Log kLog("emulator");
constexpr std::chrono::milliseconds kDrainGrace{5'000};
constexpr std::chrono::seconds kGarbageInterval{3'600};
constexpr std::chrono::seconds kClockMovedMin{60};

}  // namespace

// Members in the order in which they are built; destroyed in reverse.
struct Emulator::Rooms {
  Rooms(EmulatorOptions o, StateFolder s) : options(std::move(o)), state(std::move(s)) {}

  // In this order; then start() sets going what was built.
  Status open();
  Status open_identity();
  Status open_storage();
  Status open_registries();
  Status open_instances();
  Status open_builds();
  void open_data_plane();
  Status open_sockets();
  void open_serving();
  void open_lambda();
  void open_front_page();
  void open_api();
  Status write_kubeconfig();
  Task<Status> start();
  Task<void> close();

  struct Listener {
    http::Server& server;
    std::uint16_t& port;
    const char* name;
    const char* flag;
  };
  Status listen(const Listener& listener);
  void listen_at_cluster_address();
  void observe_servers();
  Task<std::string> metrics_text();
  std::vector<RevisionView> revisions() const;
  void write_hosts(const gateway::RouteTable& table);
  bool runs(const char* controller) const;
  Task<void> collect_garbage();
  std::vector<std::pair<std::string, std::string>> platform_env(const serving::RevisionSpec& spec);
  lambda::FunctionControllerOptions function_options();
  Task<void> emit_lifecycle(Json function, std::string type, Json data);
  Task<void> run_on_control(Task<Status> task, Status& out);

  EmulatorOptions options;
  const http::TrustedHosts hosts = trusted_hosts(options.domain, options.hosts);
  StateFolder state;
  base::SystemClock clock;
  Endpoints endpoints;
  std::string token;
  std::optional<apiserver::Certificates> certificates;
  std::optional<http::TlsContext> server_tls;
  std::optional<http::TlsContext> client_tls;

  async::Loop control{"control"};
  async::Loop objects{"objects"};
  // Behind the loops, which they still know when their last work has been told of.
  async::BlockingPool pool{2};
  async::BlockingPool build_pool{2};
  std::unique_ptr<async::TaskGroup> tasks;

  std::unique_ptr<sqlite::Writer> writer;
  std::unique_ptr<blobs::BlobStore> blob_store;
  resource::DefinitionRegistry definitions;
  std::unique_ptr<store::SqliteStore> objects_store;
  resource::RecordEvent record;
  std::unique_ptr<store::NamespaceContents> namespace_contents;
  std::unique_ptr<resource::EventRecorder> recorder;
  std::unique_ptr<registry::Registry> image_registry;
  std::unique_ptr<objectstore::ObjectStore> object_store;
  std::unique_ptr<journal::Journal> event_journal;
  std::unique_ptr<runtime::ImageStore> images;
  std::unique_ptr<runtime::Runtime> instances;
  std::unique_ptr<serving::Scaler> scaler;
  std::optional<lambda::Languages> languages;
  std::unique_ptr<http::Client> client;
  std::unique_ptr<SourceAccess> sources;
  std::unique_ptr<builder::Builder> image_builder;
  std::unique_ptr<workloads::JobController> jobs;
  std::unique_ptr<eventing::Eventing> broker;
  std::unique_ptr<gateway::Gateway> data_plane;
  std::unique_ptr<serving::Serving> knative;
  std::unique_ptr<lambda::FunctionController> functions;
  std::unique_ptr<lambda::CommandReceiver> commands;
  std::unique_ptr<FrontPage> front_page;
  std::unique_ptr<apiserver::ApiServer> api;
  std::unique_ptr<http::Server> gateway_server;
  std::unique_ptr<http::Server> api_server;
  std::unique_ptr<http::Server> registry_server;
  std::unique_ptr<http::Server> s3_server;
  // The ports that cluster names imply, at an address of our own; absent without the right to them.
  std::string cluster;
  std::unique_ptr<http::Server> cluster_gateway_server;
  std::unique_ptr<http::Server> cluster_s3_server;
  telemetry::RequestMetrics api_requests;
  telemetry::RequestMetrics registry_requests;
};

bool Emulator::Rooms::runs(const char* controller) const {
  return std::ranges::any_of(options.controllers, [&](const std::string& name) {
    return name == "*" || name == controller;
  });
}

Status Emulator::Rooms::open() {
  tasks = std::make_unique<async::TaskGroup>(control);
  HEARTH_CHECK_OK(open_identity());
  HEARTH_CHECK_OK(open_storage());
  HEARTH_CHECK_OK(open_registries());
  HEARTH_CHECK_OK(open_instances());
  HEARTH_CHECK_OK(open_builds());
  open_data_plane();
  // Before anything is started or written: a busy port must change nothing.
  HEARTH_CHECK_OK(open_sockets());
  sources->use_embedded_store(endpoints.s3);
  open_serving();
  open_lambda();
  open_front_page();
  open_api();
  return write_kubeconfig();
}

Status Emulator::Rooms::open_identity() {
  HEARTH_TRY(loaded_token, state.token());
  token = std::move(loaded_token);
  HEARTH_TRY(made, apiserver::load_or_create_certificates(state.path() / "pki",
                                                          callable_names(options.address)));
  certificates = std::move(made);
  HEARTH_TRY(tls, http::TlsContext::server(certificates->server.certificate_pem,
                                           certificates->server.key_pem,
                                           certificates->authority.certificate_pem));
  server_tls.emplace(std::move(tls));
  HEARTH_TRY(outgoing, http::TlsContext::client({}));
  client_tls.emplace(std::move(outgoing));
  return {};
}

Status Emulator::Rooms::open_storage() {
  HEARTH_TRY(database, state.open_database());
  writer = std::make_unique<sqlite::Writer>(std::move(database));
  HEARTH_TRY(opened_blobs, blobs::BlobStore::open(state.path() / "blobs", pool));
  blob_store = std::move(opened_blobs);
  HEARTH_TRY(reader, state.open_reader());
  definitions.set_field_check(apiserver::check_fields);
  definitions.set_admission(resource::kFunctions.group, resource::kFunctions.plural,
                            lambda::admit_function);
  definitions.set_admission(resource::kBrokers.group, resource::kBrokers.plural,
                            eventing::admit_broker);
  definitions.set_admission(resource::kTriggers.group, resource::kTriggers.plural,
                            eventing::admit_trigger);
  definitions.set_admission(resource::kKnativeServices.group, resource::kKnativeServices.plural,
                            serving::admit_service);
  definitions.set_admission(resource::kConfigurations.group, resource::kConfigurations.plural,
                            serving::admit_configuration);
  definitions.set_admission(resource::kRoutes.group, resource::kRoutes.plural,
                            serving::admit_route);
  definitions.set_admission(resource::kRevisions.group, resource::kRevisions.plural,
                            serving::admit_revision);
  objects_store =
      std::make_unique<store::SqliteStore>(control, *writer, std::move(reader), definitions, clock);
  namespace_contents = std::make_unique<store::NamespaceContents>(
      control, *objects_store, certificates->authority.certificate_pem);
  recorder = std::make_unique<resource::EventRecorder>(control, *objects_store, clock);
  record = [this](const Json& object, resource::EventNote note) {
    recorder->record(object, std::move(note));
  };
  return {};
}

Status Emulator::Rooms::open_registries() {
  HEARTH_TRY(opened_registry,
             registry::Registry::open(control, *writer, state.database(), *blob_store, clock));
  image_registry = std::move(opened_registry);
  HEARTH_TRY(opened_objects,
             objectstore::ObjectStore::open(
                 objects, *writer, state.database(), *blob_store, pool, clock,
                 {.credentials = {options.s3_credentials.begin(), options.s3_credentials.end()},
                  .domain = "s3." + options.domain}));
  object_store = std::move(opened_objects);
  HEARTH_TRY(journal_reader, state.open_reader());
  event_journal = std::make_unique<journal::Journal>(control, *writer, std::move(journal_reader),
                                                     clock, journal::Options{});
  return event_journal->load();
}

Status Emulator::Rooms::open_instances() {
  HEARTH_CHECK_OK(base::make_private_directory(state.path() / "images"));
  HEARTH_CHECK_OK(base::make_private_directory(state.path() / "logs"));
  images = std::make_unique<runtime::ImageStore>(state.path() / "images", *image_registry,
                                                 *blob_store, clock, pool);
  instances = std::make_unique<runtime::Runtime>(
      control, *images, clock,
      runtime::RuntimeOptions{.run_dir = state.run_dir(),
                              .log_dir = state.path() / "logs",
                              .scratch = state.path() / "instances",
                              .hosts_file = state.run_dir() / "hosts",
                              .sandbox = options.sandbox});
  scaler = std::make_unique<serving::Scaler>(
      control, *instances, *objects_store, clock,
      serving::ScalerOptions{
          .platform_env = [this](const serving::RevisionSpec& spec) { return platform_env(spec); },
          .record = record});
  return {};
}

Status Emulator::Rooms::open_builds() {
  HEARTH_TRY(loaded, lambda::Languages::load(options.languages));
  languages = std::move(loaded);
  // What a crash left of contexts and archives. Of a link the link goes, not what it leads to.
  (void)base::remove_tree(state.path() / "scratch");
  HEARTH_CHECK_OK(base::make_private_directory(state.path() / "scratch"));
  client = std::make_unique<http::Client>(control, &*client_tls);
  sources = std::make_unique<SourceAccess>(control, *client, pool, clock, state.path() / "scratch",
                                           options.s3_credentials);
  image_builder = std::make_unique<builder::Builder>(
      *image_registry, *blob_store, build_pool,
      builder::BuilderOptions{.work_dir = state.path() / "build",
                              .caches = options.caches,
                              .kaniko_executor = options.kaniko_executor,
                              .state = state.path(),
                              .credentials = options.build_host_credentials
                                                 ? builder::HostCredentials::kPass
                                                 : builder::HostCredentials::kWithhold});
  jobs = std::make_unique<workloads::JobController>(
      control, pool, *objects_store, *image_builder, instances->logs(), clock,
      workloads::JobControllerOptions{.scratch = state.path() / "scratch",
                                      .parallel_builds = options.parallel_builds,
                                      .fetch_context =
                                          [this](workloads::BucketContext context) {
                                            return sources->fetch_context(std::move(context));
                                          },
                                      .record = record});
  return {};
}

void Emulator::Rooms::open_data_plane() {
  broker = std::make_unique<eventing::Eventing>(
      control, *objects_store, *event_journal, clock,
      make_dispatch([this] { return data_plane.get(); }, *client),
      eventing::Options{.record = record});
  data_plane = std::make_unique<gateway::Gateway>(
      control,
      gateway::GatewayHooks{
          .need_instance = [this](const gateway::RevisionPtr& r) { scaler->activate(r->key()); },
          .instance_broken = [this](
                                 const std::string& id, const std::string& why,
                                 std::string_view trace_id) { scaler->replace(id, why, trace_id); },
          .route_missing =
              [this] {
                if (knative) knative->settle_routes();
              },
          .other = [this](http::Exchange& exchange) { return front_page->handle(exchange); },
          .hosts = &hosts});
  scaler->on_instances_change(
      [this](const std::string& key) { data_plane->instances_changed(key); });
}

// The port 0 becomes the one that was free.
Status Emulator::Rooms::listen(const Listener& listener) {
  auto bound = listener.server.listen({.address = options.address, .port = listener.port});
  if (!bound) {
    const std::string advice =
        bound.error().code == Code::kAlreadyExists
            ? fmt::format("choose another port with {}, or 0 for any free one", listener.flag)
            : fmt::format("see --listen and {}", listener.flag);
    return fail(bound.error().code, fmt::format("{} can't listen at {}: {}", listener.name,
                                                bound.error().message, advice));
  }
  listener.port = *bound;
  return {};
}

Status Emulator::Rooms::open_sockets() {
  const auto handler = [](auto& room) {
    return [&room](http::Exchange& exchange) { return room->handle(exchange); };
  };
  gateway_server = std::make_unique<http::Server>(control, "gateway", handler(data_plane));
  api_server = std::make_unique<http::Server>(control, "api", handler(api), &*server_tls);
  registry_server = std::make_unique<http::Server>(control, "registry", handler(image_registry));
  s3_server = std::make_unique<http::Server>(objects, "s3", handler(object_store));
  observe_servers();
  // The gateway knows functions' own hosts, and asks itself; the API wants a token and is HTTPS.
  registry_server->answer_only(hosts);
  s3_server->answer_only(hosts);
  for (const Listener& listener :
       {Listener{*gateway_server, options.gateway_port, "the gateway", "--port"},
        Listener{*api_server, options.api_port, "the Kubernetes API", "--api-port"},
        Listener{*registry_server, options.registry_port, "the registry", "--registry-port"},
        Listener{*s3_server, options.s3_port, "the object store", "--s3-port"}}) {
    HEARTH_CHECK_OK(listen(listener));
  }
  const auto at = [this](std::uint16_t port) {
    return fmt::format("{}:{}", url_host(options.address), port);
  };
  endpoints.gateway = "http://" + at(options.gateway_port);
  endpoints.api = "https://" + at(options.api_port);
  endpoints.registry = at(options.registry_port);
  endpoints.s3 = "http://" + at(options.s3_port);
  listen_at_cluster_address();
  return {};
}

void Emulator::Rooms::open_serving() {
  knative = std::make_unique<serving::Serving>(
      control, *objects_store, *scaler, clock,
      serving::ServingOptions{
          .domain = options.domain, .port = options.gateway_port, .record = record},
      [this](std::shared_ptr<const gateway::RouteTable> table) {
        write_hosts(*table);
        data_plane->publish(std::move(table));
      });
}

lambda::FunctionControllerOptions Emulator::Rooms::function_options() {
  lambda::FunctionControllerOptions out;
  out.build.push_registry = endpoints.registry;
  out.build.pull_registry = endpoints.registry;
  out.render.dev = options.dev;
  out.sources.objects = [this](lambda::ObjectLocation location) {
    return sources->fetch_objects(std::move(location));
  };
  out.sources.objects_version = [this](lambda::ObjectLocation location) {
    return sources->version_of_objects(std::move(location));
  };
  out.sources.git = [this](lambda::GitLocation location) {
    return sources->fetch_git(std::move(location));
  };
  out.contexts.put = [this](std::string bucket, std::string key, std::string bytes) {
    return sources->put_context(std::move(bucket), std::move(key), std::move(bytes));
  };
  out.contexts.remove = [this](std::string bucket, std::string prefix) {
    return sources->remove_contexts(std::move(bucket), std::move(prefix));
  };
  if (!options.gcs_endpoint.empty()) out.gcs_endpoint = options.gcs_endpoint;
  out.emit = [this](const Json& function, std::string type, Json data) {
    tasks->spawn(emit_lifecycle(function, std::move(type), std::move(data)));
  };
  out.record = record;
  return out;
}

void Emulator::Rooms::open_lambda() {
  functions = std::make_unique<lambda::FunctionController>(control, pool, *objects_store,
                                                           *languages, clock, function_options());
  commands = std::make_unique<lambda::CommandReceiver>(*objects_store, clock,
                                                       lambda::CommandReceiverOptions{});
  object_store->on_event([this](const objectstore::ObjectEvent& event) {
    control.post(
        [this, bucket = event.bucket, key = event.key] { functions->source_changed(bucket, key); });
  });
}

void Emulator::Rooms::open_front_page() {
  front_page = std::make_unique<FrontPage>(
      *broker, *commands, hosts, token,
      [this] {
        return Json{{"product", "hearth"},
                    {"version", HEARTH_VERSION},
                    {"gateway", endpoints.gateway},
                    {"api", endpoints.api},
                    {"s3", endpoints.s3},
                    {"registry", endpoints.registry},
                    {"instances", instances->running()},
                    {"sandboxMissing", instances->degraded()}};
      },
      [this](const std::string& ns, const std::string& name) {
        return scaler->scale_to_zero(ns, name);
      },
      [this] { return metrics_text(); });
}

void Emulator::Rooms::open_api() {
  api = std::make_unique<apiserver::ApiServer>(
      *objects_store, definitions, clock,
      [this](resource::ObjectPtr pod, apiserver::LogOptions log, apiserver::LogSink sink) {
        return instances->logs().read(serving::logged_instance(*pod, log.previous),
                                      {.follow = log.follow,
                                       .timestamps = log.timestamps,
                                       .tail_lines = log.tail_lines,
                                       .since_seconds = log.since_seconds,
                                       .limit_bytes = log.limit_bytes},
                                      std::move(sink));
      },
      apiserver::ServerOptions{
          .token = token,
          .server_address = fmt::format("{}:{}", options.address, options.api_port)});
}

// The gateway and the object store count their requests themselves, by revision and by method.
void Emulator::Rooms::observe_servers() {
  gateway_server->observe([](http::Exchange& e) { log_access("gateway", e); });
  s3_server->observe([](http::Exchange& e) { log_access("s3", e); });
  const auto counted = [](telemetry::RequestMetrics& requests, std::string_view server) {
    return [&requests, server](http::Exchange& e) {
      requests.observe(e.status() == 0 ? 499 : e.status(),
                       std::chrono::steady_clock::now() - e.started());
      log_access(server, e);
    };
  };
  api_server->observe(counted(api_requests, "api"));
  registry_server->observe(counted(registry_requests, "registry"));
}

// Each once, however many hosts and routes lead to it.
std::vector<RevisionView> Emulator::Rooms::revisions() const {
  std::map<std::string, RevisionView> by_key;
  for (const auto& [name, route] : data_plane->table()->by_name) {
    for (const gateway::RouteTarget& target : route->targets) {
      const std::string key = target.revision->key();
      by_key[key] = {target.revision, scaler->health(key).desired};
    }
  }
  std::vector<RevisionView> out;
  out.reserve(by_key.size());
  for (auto& [key, view] : by_key) out.push_back(std::move(view));
  return out;
}

Task<std::string> Emulator::Rooms::metrics_text() {
  telemetry::MetricsPage page;
  write_revision_metrics(page, revisions());
  broker->write_metrics(page);
  write_object_store_metrics(page, object_store->metrics());
  write_build_metrics(page, jobs->metrics());
  write_server_metrics(page, {{"api", &api_requests}, {"registry", &registry_requests}});
  write_store_metrics(
      page, {writer->counts(), objects_store->resource_version(), objects_store->watches()});
  std::vector<LoopLag> lags;
  for (async::Loop* loop : {&control, &objects}) {
    const auto begin = std::chrono::steady_clock::now();
    const auto turn = co_await async::completion<std::chrono::steady_clock::time_point>(
        [loop](async::Resolve<std::chrono::steady_clock::time_point> done) {
          loop->post(
              [done = std::move(done)]() mutable { done(std::chrono::steady_clock::now()); });
        });
    lags.emplace_back(loop->name(), turn - begin);
  }
  write_process_metrics(page, lags);
  co_return page.text();
}

void Emulator::Rooms::listen_at_cluster_address() {
  const std::string address = cluster_address(state.path());
  cluster_gateway_server = std::make_unique<http::Server>(
      control, "cluster-gateway", [this](http::Exchange& e) { return data_plane->handle(e); });
  cluster_s3_server = std::make_unique<http::Server>(
      objects, "cluster-s3", [this](http::Exchange& e) { return object_store->handle(e); });
  cluster_gateway_server->observe([](http::Exchange& e) { log_access("gateway", e); });
  cluster_s3_server->observe([](http::Exchange& e) { log_access("s3", e); });
  cluster_s3_server->answer_only(hosts);
  const auto gateway = cluster_gateway_server->listen({.address = address, .port = 80});
  const auto s3 = cluster_s3_server->listen({.address = address, .port = 9000});
  if (gateway && s3)
    cluster = address;
  else
    kLog.info("cluster_names_off", {{"reason", "port 80 can't be listened at"},
                                    {"instead", "functions find the broker in K_SINK"}});
  write_hosts({});
}

// In place, never by a new file: instances see this very inode.
void Emulator::Rooms::write_hosts(const gateway::RouteTable& table) {
  const Status written =
      base::overwrite_file(state.run_dir() / "hosts", hosts_text(cluster, table));
  if (!written) kLog.warn("hosts_not_written", {{"error", written.error().message}});
}

Status Emulator::Rooms::write_kubeconfig() {
  endpoints.kubeconfig = state.path() / "kubeconfig";
  return base::write_file_atomically(
      endpoints.kubeconfig,
      apiserver::kubeconfig_text({.name = "hearth",
                                  .server = endpoints.api,
                                  .ca_pem = certificates->authority.certificate_pem,
                                  .token = token}),
      0600);
}

std::vector<std::pair<std::string, std::string>> Emulator::Rooms::platform_env(
    const serving::RevisionSpec& spec) {
  const std::string sink = fmt::format("{}/{}/lambda-broker", endpoints.gateway, spec.ns);
  return {{"K_SINK", sink},
          {"BROKER_URL", sink},
          {"AWS_ENDPOINT_URL_S3", endpoints.s3},
          {"HEARTH_GATEWAY", endpoints.gateway}};
}

Task<void> Emulator::Rooms::emit_lifecycle(Json function, std::string type, Json data) {
  (void)co_await broker->publish("knative-lambda", "lambda-broker",
                                 lambda::lifecycle_event(function, type, data, clock.wall()));
}

// Blobs that neither an object, an upload nor an image names, once an hour.
Task<void> Emulator::Rooms::collect_garbage() {
  base::ClockWatch watch(clock);
  while (co_await async::sleep_for(kGarbageInterval)) {
    // Blobs are spared for an hour, until what they belong to is written. A clock that was set
    // forward makes the young ones look old.
    if (watch.moved() >= kClockMovedMin) continue;
    (void)co_await image_registry->drop_unreferenced(kGarbageInterval);
    auto images_live = image_registry->live_digests();
    Result<std::unordered_set<std::string>> objects_live = fail(Code::kInternal, "not asked");
    co_await async::completion<bool>([&](async::Resolve<bool> done) {
      objects.post([this, &objects_live, done = std::move(done)]() mutable {
        objects_live = object_store->live_digests();
        done(true);
      });
    });
    if (!images_live || !objects_live) continue;
    const auto freed = co_await pool.run(
        [this, images_live = std::move(*images_live), objects_live = std::move(*objects_live)] {
          return blob_store->collect_garbage(
              [&](std::string_view digest) {
                return images_live.contains(digest) || objects_live.contains(std::string(digest));
              },
              kGarbageInterval);
        });
    if (freed && *freed > 0) kLog.info("garbage_collected", {{"bytes", *freed}});
  }
}

Task<void> Emulator::Rooms::run_on_control(Task<Status> task, Status& out) {
  out = co_await std::move(task);
}

namespace {

Task<Status> open_on_loop(std::function<Status()> open) { co_return open(); }

}  // namespace

Result<std::unique_ptr<Emulator>> Emulator::start(EmulatorOptions options) {
  HEARTH_TRY(folder, StateFolder::open(options.state));
  auto rooms = std::make_unique<Rooms>(std::move(options), std::move(folder));
  rooms->control.start();
  rooms->objects.start();
  Rooms* r = rooms.get();
  Status opened;
  r->control.run_blocking(r->run_on_control(open_on_loop([r] { return r->open(); }), opened));
  auto emulator = std::unique_ptr<Emulator>(new Emulator(std::move(rooms)));
  if (!opened) return fail(opened.error());
  r->control.run_blocking(r->run_on_control(r->start(), opened));
  if (!opened) return fail(opened.error());
  kLog.info("started", {{"gateway", r->endpoints.gateway}, {"api", r->endpoints.api}});
  return emulator;
}

Task<Status> Emulator::Rooms::start() {
  HEARTH_CO_CHECK_OK(objects_store->load());
  HEARTH_CO_CHECK_OK(
      co_await define_platform_kinds(*objects_store, definitions, languages->names()));
  co_await create_first_objects(*objects_store, endpoints);
  co_await remove_stale_pods(*objects_store, instances->logs());
  recorder->start();
  namespace_contents->start();
  tasks->spawn(collect_garbage());
  tasks->spawn(images->remove_set_aside());
  scaler->start();
  if (runs("serving")) knative->start();
  if (runs("jobs")) jobs->start();
  if (runs("eventing")) broker->start();
  if (runs("function")) functions->start();
  co_return Status();
}

Emulator::Emulator(std::unique_ptr<Rooms> rooms) : rooms_(std::move(rooms)) {}

Task<void> Emulator::Rooms::close() {
  if (gateway_server) co_await gateway_server->shutdown(kDrainGrace);
  if (cluster_gateway_server) {
    co_await cluster_gateway_server->shutdown(std::chrono::milliseconds(100));
  }
  if (registry_server) co_await registry_server->shutdown(std::chrono::milliseconds(500));
  if (functions) co_await functions->stop();
  if (sources) co_await sources->stop();
  if (knative) co_await knative->stop();
  if (scaler) co_await scaler->stop();
  if (jobs) co_await jobs->stop();
  if (broker) co_await broker->stop();
  if (namespace_contents) co_await namespace_contents->stop();
  if (recorder) co_await recorder->stop();
  if (event_journal) co_await event_journal->stop();
  if (instances) co_await instances->shutdown();
  if (objects_store) co_await objects_store->stop();
  if (api_server) co_await api_server->shutdown(std::chrono::milliseconds(500));
  if (tasks) {
    tasks->cancel();
    co_await tasks->drain();
  }
}

Emulator::~Emulator() {
  if (rooms_->s3_server) {
    rooms_->objects.run_blocking(rooms_->s3_server->shutdown(std::chrono::milliseconds(1000)));
  }
  if (rooms_->cluster_s3_server) {
    rooms_->objects.run_blocking(
        rooms_->cluster_s3_server->shutdown(std::chrono::milliseconds(100)));
  }
  rooms_->control.run_blocking(rooms_->close());
  rooms_->objects.stop();
  rooms_->control.stop();
  (void)base::remove_tree(rooms_->state.run_dir());
}

void Emulator::set_s3_credentials(std::map<std::string, std::string> credentials) {
  rooms_->objects.post([rooms = rooms_.get(), credentials] {
    rooms->object_store->set_credentials({credentials.begin(), credentials.end()});
  });
  // The platform's own reads of the store sign with the first of them.
  rooms_->control.post([rooms = rooms_.get(), credentials = std::move(credentials)]() mutable {
    rooms->sources->set_credentials(std::move(credentials));
  });
}

const Endpoints& Emulator::endpoints() const { return rooms_->endpoints; }

}  // namespace hearth::emulator
