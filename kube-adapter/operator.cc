#include "kube-adapter/operator.h"

#include <optional>

#include <fmt/format.h>

#include "kube-adapter/api_client.h"
#include "kube-adapter/event_sender.h"
#include "kube-adapter/remote_store.h"
#include "platform/async/blocking.h"
#include "platform/async/deadline.h"
#include "platform/async/loop.h"
#include "platform/async/task_group.h"
#include "platform/base/file.h"
#include "platform/http/server.h"
#include "platform/lambda/command_receiver.h"
#include "platform/lambda/function_controller.h"
#include "platform/lambda/git_source.h"
#include "platform/lambda/lifecycle_event.h"
#include "platform/lambda/object_source.h"
#include "platform/telemetry/log.h"

namespace hearth::kube_adapter {

namespace {

constexpr telemetry::Log kLog("operator");
constexpr std::chrono::milliseconds kDrainGrace{2'000};
constexpr std::chrono::seconds kReleaseTimeout{5};
// The reference's name for "the platform's own store".
constexpr std::string_view kOwnStore = "minio.minio.svc.cluster.local";

}  // namespace

// Members in the order in which they are built; destroyed in reverse.
struct Operator::Rooms {
  explicit Rooms(OperatorOptions o) : options(std::move(o)) {}

  Status open();
  Status open_events();
  lambda::FunctionControllerOptions controller_options();
  Result<s3::Client> s3_client(const lambda::ObjectLocation& location);
  Task<Result<lambda::SourceTree>> fetch_objects(lambda::ObjectLocation location);
  Task<Status> put_context(std::string bucket, std::string key, std::string bytes);
  Task<Status> remove_contexts(std::string bucket, std::string prefix);
  Task<void> answer(http::Exchange& exchange);
  Task<void> lead();
  Task<void> close();

  OperatorOptions options;
  base::SystemClock clock;
  std::string url;
  std::optional<http::TlsContext> client_tls;
  async::Loop control{"control"};
  async::BlockingPool pool{2};  // behind the loop, which it still knows at its end
  std::unique_ptr<async::TaskGroup> tasks;
  std::unique_ptr<ApiClient> api;
  std::unique_ptr<RemoteStore> store;
  std::unique_ptr<LeaderElection> election;
  bool stands_by = false;
  bool closing = false;
  std::unique_ptr<http::Client> client;
  std::unique_ptr<EventSender> events;
  std::unique_ptr<lambda::GitSource> repositories;
  std::optional<lambda::Languages> languages;
  std::unique_ptr<lambda::FunctionController> functions;
  std::unique_ptr<lambda::CommandReceiver> commands;
  std::unique_ptr<http::Server> server;
};

Status Operator::Rooms::open() {
  tasks = std::make_unique<async::TaskGroup>(control);
  HEARTH_CHECK_OK(base::make_private_directory(options.scratch));
  HEARTH_TRY(made, ApiClient::create(control, clock, options.access));
  api = std::move(made);
  store = std::make_unique<RemoteStore>(*api);
  if (options.lease) {
    election = std::make_unique<LeaderElection>(*store, clock, *options.lease);
  }
  HEARTH_TRY(outgoing, http::TlsContext::client({}));
  client_tls.emplace(std::move(outgoing));
  client = std::make_unique<http::Client>(control, &*client_tls);
  HEARTH_CHECK_OK(open_events());
  repositories = std::make_unique<lambda::GitSource>(
      control, pool, lambda::GitSourceOptions{.scratch = options.scratch});
  HEARTH_TRY(loaded, lambda::Languages::load(options.languages));
  languages = std::move(loaded);
  functions = std::make_unique<lambda::FunctionController>(control, pool, *store, *languages, clock,
                                                           controller_options());
  commands = std::make_unique<lambda::CommandReceiver>(
      *store, clock,
      lambda::CommandReceiverOptions{.default_namespace = options.command_namespace});
  server = std::make_unique<http::Server>(
      control, "operator", [this](http::Exchange& exchange) { return answer(exchange); });
  auto port = server->listen({.address = options.address, .port = options.port});
  if (!port) {
    return fail(port.error().code,
                fmt::format("the operator can't listen at {}: choose another port with --port, or "
                            "0 for any free one",
                            port.error().message));
  }
  url = fmt::format("http://{}:{}", options.address, *port);
  return {};
}

Status Operator::Rooms::open_events() {
  if (options.broker_url.empty()) return {};
  auto broker = http::parse_url(options.broker_url);
  if (!broker) return fail(with_context(broker.error(), "the broker's URL"));
  events = std::make_unique<EventSender>(control, *client, std::move(*broker));
  tasks->spawn(events->run());
  return {};
}

lambda::FunctionControllerOptions Operator::Rooms::controller_options() {
  lambda::FunctionControllerOptions out;
  out.build = options.build;
  out.render = options.render;
  out.sources.objects = [this](lambda::ObjectLocation location) {
    return fetch_objects(std::move(location));
  };
  out.sources.git = [this](lambda::GitLocation location) {
    return repositories->fetch(std::move(location));
  };
  out.contexts.put = [this](std::string bucket, std::string key, std::string bytes) {
    return put_context(std::move(bucket), std::move(key), std::move(bytes));
  };
  out.contexts.remove = [this](std::string bucket, std::string prefix) {
    return remove_contexts(std::move(bucket), std::move(prefix));
  };
  if (!options.gcs_endpoint.empty()) out.gcs_endpoint = options.gcs_endpoint;
  if (events) {
    out.emit = [this](const Json& function, const std::string& type, const Json& data) {
      events->send(lambda::lifecycle_event(function, type, data, clock.wall()));
    };
  }
  return out;
}

Result<s3::Client> Operator::Rooms::s3_client(const lambda::ObjectLocation& location) {
  const bool own = location.endpoint.empty() || location.endpoint.contains(kOwnStore);
  std::string endpoint = own ? options.s3_endpoint : location.endpoint;
  if (!endpoint.contains("://")) endpoint = "http://" + endpoint;
  HEARTH_TRY(server_url, http::parse_url(endpoint));
  const bool given = !location.credentials.access_key.empty();
  const lambda::Credentials& credentials =
      own && !given ? options.s3_credentials : location.credentials;
  s3::ClientOptions client_options{.endpoint = server_url, .region = location.region};
  if (client_options.region.empty()) client_options.region = "us-east-1";
  client_options.credentials = {credentials.access_key, credentials.secret_key, {}};
  return s3::Client(*client, clock, std::move(client_options));
}

Task<Result<lambda::SourceTree>> Operator::Rooms::fetch_objects(lambda::ObjectLocation location) {
  HEARTH_CO_TRY(bucket_client, s3_client(location));
  co_return co_await lambda::fetch_objects(bucket_client, pool, options.scratch, location.bucket,
                                           location.key);
}

Task<Status> Operator::Rooms::put_context(std::string bucket, std::string key, std::string bytes) {
  HEARTH_CO_TRY(bucket_client, s3_client({}));
  HEARTH_CO_CHECK_OK(co_await bucket_client.create_bucket(bucket));
  co_return co_await bucket_client.put_object(std::move(bucket), std::move(key), std::move(bytes),
                                              "application/gzip");
}

Task<Status> Operator::Rooms::remove_contexts(std::string bucket, std::string prefix) {
  HEARTH_CO_TRY(bucket_client, s3_client({}));
  HEARTH_CO_TRY(found, co_await bucket_client.list(bucket, prefix));
  for (const s3::ObjectInfo& object : found) {
    HEARTH_CO_CHECK_OK(co_await bucket_client.delete_object(bucket, object.key));
  }
  co_return Status();
}

Task<void> Operator::Rooms::answer(http::Exchange& exchange) {
  const std::string path(exchange.request().path());
  if (path == "/healthz") {
    (void)co_await exchange.respond(200, "text/plain", "ok\n");
  } else if (path == "/readyz") {
    // One that waits for its turn is as ready as it can be.
    const bool ready = functions->is_synced() || stands_by;
    (void)co_await exchange.respond(ready ? 200 : 503, "text/plain",
                                    ready ? "ok\n" : "the cluster's objects are not known yet\n");
  } else if (options.commands && (path == "/" || path == "/events")) {
    co_await commands->handle(exchange);
  } else {
    (void)co_await exchange.respond(404, "text/plain", "not found\n");
  }
}

Task<void> Operator::Rooms::lead() {
  if (election) {
    stands_by = true;
    if (!co_await election->acquire()) co_return;
    stands_by = false;
  }
  functions->start();
  if (!election) co_return;
  const Error lost = co_await election->hold();
  if (closing || lost.code == Code::kCancelled) co_return;
  kLog.error("lease_lost", {{"reason", lost.message}});
  options.on_lease_lost();
}

// The workers first: after a lost lease another one may begin at any moment.
Task<void> Operator::Rooms::close() {
  closing = true;
  if (functions) co_await functions->stop();
  if (repositories) co_await repositories->stop();
  tasks->cancel();
  co_await tasks->drain();
  if (server) co_await server->shutdown(kDrainGrace);
  // Without it the next one waits a little longer: no reason to wait for a silent API.
  if (election) (void)co_await async::with_deadline(election->release(), kReleaseTimeout);
}

Result<std::unique_ptr<Operator>> Operator::start(OperatorOptions options) {
  auto rooms = std::make_unique<Rooms>(std::move(options));
  rooms->control.start();
  Rooms* r = rooms.get();
  auto made = std::unique_ptr<Operator>(new Operator(std::move(rooms)));
  Status opened;
  r->control.run_blocking([](Rooms& all, Status& out) -> Task<void> {
    out = all.open();
    if (out) all.tasks->spawn(all.lead());
    co_return;
  }(*r, opened));
  if (!opened) return fail(opened.error());
  kLog.info("started", {{"context", r->options.access.context},
                        {"server", r->options.access.server.authority()},
                        {"probes", r->url}});
  return made;
}

Operator::Operator(std::unique_ptr<Rooms> rooms) : rooms_(std::move(rooms)) {}

Operator::~Operator() {
  rooms_->control.run_blocking(rooms_->close());
  rooms_->control.stop();
  kLog.info("stopped", {{"context", rooms_->options.access.context}});
}

const std::string& Operator::url() const { return rooms_->url; }

}  // namespace hearth::kube_adapter
