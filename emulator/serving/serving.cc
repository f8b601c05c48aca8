#include "emulator/serving/serving.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "emulator/serving/children.h"
#include "emulator/serving/route_index.h"
#include "emulator/serving/traffic.h"
#include "platform/async/loop.h"
#include "platform/async/task_group.h"
#include "platform/async/timer.h"
#include "platform/resource/condition.h"
#include "platform/resource/controller.h"
#include "platform/resource/informer.h"
#include "platform/resource/well_known.h"

namespace hearth::serving {

using namespace resource;
using namespace std::chrono_literals;

namespace {

// Knative keeps 1000 (config-gc: max-non-active-revisions).
constexpr std::size_t kRevisionsKept = 20;

// Knative's rule for a living condition set: False if any is False, else Unknown, else True.
void set_ready(Json& object, std::initializer_list<const char*> dependents, base::WallTime now) {
  Condition ready{"Ready", "True", "", ""};
  for (const char* type : dependents) {
    const Condition condition = condition_of(object, type);
    if (condition.status == "True") continue;
    if (condition.status == "False") {
      ready = {"Ready", "False", condition.reason, condition.message};
      break;
    }
    if (ready.status == "True") {
      ready = {"Ready", "Unknown", condition.reason, condition.message};
    }
  }
  set_condition(object, ready, now);
}

// A child's Ready as a condition of its parent; what it says of an older spec doesn't count.
void mirror_ready(const Json& child, const char* type, Json& parent, base::WallTime now) {
  Condition ready = condition_of(child, "Ready");
  const bool observed =
      base::int_at(child, {"status", "observedGeneration"}) == generation_of(child);
  if (!observed || ready.type.empty()) ready = {"", "Unknown", "Deploying", ""};
  set_condition(parent, {type, ready.status, ready.reason, ready.message}, now);
}

// Where a Service or Route is reached from within the cluster.
Json address_of(const ObjectKey& key) {
  return {{"url", fmt::format("http://{}.{}.svc.cluster.local", key.name, key.ns)}};
}

}  // namespace

struct Serving::State {
  State(async::Loop& l, Store& s, Scaler& sc, const base::Clock& c, ServingOptions o,
        std::function<void(std::shared_ptr<const gateway::RouteTable>)> p)
      : loop(l),
        store(s),
        scaler(sc),
        clock(c),
        options(std::move(o)),
        publish(std::move(p)),
        services(l, s, kKnativeServices),
        configurations(l, s, kConfigurations),
        revisions(l, s, kRevisions),
        routes(l, s, kRoutes),
        tasks(l),
        service_controller(l, "service", [this](ObjectKey k) { return service(std::move(k)); }),
        configuration_controller(l, "configuration",
                                 [this](ObjectKey k) { return configuration(std::move(k)); }),
        revision_controller(l, "revision", [this](ObjectKey k) { return revision(std::move(k)); }),
        route_controller(l, "route", [this](ObjectKey k) { return route(std::move(k)); }) {}

  void connect();
  Task<Result<Requeue>> service(ObjectKey key);
  Task<Result<Requeue>> configuration(ObjectKey key);
  Task<Result<ObjectPtr>> ensure_revision(Json configuration, std::string name);
  Task<Result<Requeue>> revision(ObjectKey key);
  Task<Result<Requeue>> route(ObjectKey key);
  Task<void> collect_revisions(ObjectKey configuration, std::string ready, std::string created);
  void record_readiness(const Json& before, const Json& after) const;
  std::string url_of(const ObjectKey& key, const std::string& tag = {}) const;
  void add_to_table(const Json& route, gateway::RouteTable& table,
                    std::set<std::string>& reachable) const;
  void rebuild_table();
  void schedule_rebuild();
  Task<void> rebuild_in_turn();
  void settle_table();
  std::string latest(const ObjectKey& configuration, const char* field) const;
  TrafficView traffic_view(const ObjectKey& route) const;
  void wake_routes(const ObjectKey& revision, bool deleted);

  async::Loop& loop;
  Store& store;
  Scaler& scaler;
  const base::Clock& clock;
  ServingOptions options;
  std::function<void(std::shared_ptr<const gateway::RouteTable>)> publish;
  Informer services;
  Informer configurations;
  Informer revisions;
  Informer routes;
  async::TaskGroup tasks;
  Controller service_controller;
  Controller configuration_controller;
  Controller revision_controller;
  Controller route_controller;
  // The revisions that Routes name, follow or serve, and those of them that they wait for.
  RouteIndex users;
  RouteIndex waiting;
  RouteIndex followers;  // of configurations
  bool rebuild_due = false;
  bool rebuild_waits = false;  // for its turn
  base::MonotonicTime rebuild_not_before;
};

Serving::Serving(async::Loop& loop, Store& store, Scaler& scaler, const base::Clock& clock,
                 ServingOptions options,
                 std::function<void(std::shared_ptr<const gateway::RouteTable>)> publish)
    : state_(std::make_shared<State>(loop, store, scaler, clock, std::move(options),
                                     std::move(publish))) {}
Serving::~Serving() = default;

void Serving::start() {
  State& state = *state_;
  state.connect();
  for (Informer* informer :
       {&state.services, &state.configurations, &state.revisions, &state.routes}) {
    state.tasks.spawn(informer->run());
  }
  state.tasks.spawn([](State& s) -> Task<void> {
    for (Informer* informer : {&s.services, &s.configurations, &s.revisions, &s.routes}) {
      co_await informer->wait_synced();
    }
    for (Controller* controller : {&s.service_controller, &s.configuration_controller,
                                   &s.revision_controller, &s.route_controller}) {
      controller->start();
    }
  }(state));
}

Task<void> Serving::stop() {
  const auto state = state_;
  for (Controller* controller : {&state->service_controller, &state->configuration_controller,
                                 &state->revision_controller, &state->route_controller}) {
    co_await controller->stop();
  }
  state->tasks.cancel();
  co_await state->tasks.drain();
}

void Serving::settle_routes() { state_->settle_table(); }

// Who looks again when what changes.
void Serving::State::connect() {
  services.on_change(
      [this](const ObjectPtr& object, bool) { service_controller.enqueue(key_of(*object)); });
  configurations.on_change([this](const ObjectPtr& object, bool) {
    const ObjectKey key = key_of(*object);
    configuration_controller.enqueue(key);
    service_controller.enqueue(key);
    for (const ObjectKey& route : followers.routes_of(key)) route_controller.enqueue(route);
  });
  routes.on_change([this](const ObjectPtr& object, bool) {
    route_controller.enqueue(key_of(*object));
    service_controller.enqueue(key_of(*object));
    schedule_rebuild();
  });
  revisions.on_change([this](const ObjectPtr& object, bool deleted) {
    const ObjectKey key = key_of(*object);
    if (deleted)
      scaler.remove(key.text());
    else
      revision_controller.enqueue(key);
    configuration_controller.enqueue({key.ns, label_of(*object, label("configuration"))});
    wake_routes(key, deleted);
    schedule_rebuild();
  });
  scaler.on_health_change([this](const std::string& ns, const std::string& name) {
    revision_controller.enqueue({ns, name});
  });
}

std::string Serving::State::url_of(const ObjectKey& key, const std::string& tag) const {
  const std::string port = options.port == 80 ? "" : fmt::format(":{}", options.port);
  return fmt::format("http://{}{}.{}.{}{}", tag.empty() ? "" : tag + "-", key.name, key.ns,
                     options.domain, port);
}

// An Event when an object became ready, or ceased to be.
void Serving::State::record_readiness(const Json& before, const Json& after) const {
  const Condition was = condition_of(before, "Ready");
  const Condition is = condition_of(after, "Ready");
  if (!options.record || (was.status == is.status && was.reason == is.reason)) return;
  if (is.status == "True") {
    options.record(after, {EventType::kNormal, "Ready",
                           base::string_at(after, {"kind"}) + " is ready", "serving"});
  } else if (is.status == "False") {
    options.record(after, {EventType::kWarning, is.reason, is.message, "serving"});
  }
}

Task<Result<Requeue>> Serving::State::service(ObjectKey key) {
  const ObjectPtr cached = services.get(key);
  if (!cached || is_being_deleted(*cached)) co_return Requeue();
  Json object = *cached;
  HEARTH_CO_TRY(configuration_now,
                co_await apply(store, kConfigurations, configuration_of(object)));
  HEARTH_CO_TRY(route_now, co_await apply(store, kRoutes, route_of(object)));
  const auto now = clock.wall();
  mirror_ready(*configuration_now, "ConfigurationsReady", object, now);
  mirror_ready(*route_now, "RoutesReady", object, now);
  set_ready(object, {"ConfigurationsReady", "RoutesReady"}, now);
  Json& status = object["status"];
  status["observedGeneration"] = generation_of(object);
  status["url"] = url_of(key);
  status["address"] = address_of(key);
  for (const char* field : {"latestCreatedRevisionName", "latestReadyRevisionName"}) {
    const std::string text = base::string_at(*configuration_now, {"status", field});
    if (!text.empty()) status[field] = text;
  }
  if (const Json* routed = base::find(*route_now, {"status", "traffic"}))
    status["traffic"] = *routed;
  HEARTH_CO_CHECK_OK(co_await update_status(store, kKnativeServices, key, status));
  record_readiness(*cached, object);
  co_return Requeue();
}

// Null: it was made a moment ago, and the informer tells of it soon.
Task<Result<ObjectPtr>> Serving::State::ensure_revision(Json configuration, std::string name) {
  if (ObjectPtr current = revisions.get({namespace_of(configuration), name})) co_return current;
  auto created = co_await store.create(kRevisions, revision_of(configuration, name), {});
  if (!created && created.error().code == Code::kAlreadyExists) co_return nullptr;
  co_return created;
}

Task<Result<Requeue>> Serving::State::configuration(ObjectKey key) {
  const ObjectPtr cached = configurations.get(key);
  if (!cached || is_being_deleted(*cached)) co_return Requeue();
  Json object = *cached;
  std::string name = base::string_at(object, {"spec", "template", "metadata", "name"});
  if (name.empty()) name = revision_name(key.name, generation_of(object));
  HEARTH_CO_TRY(current, co_await ensure_revision(object, name));
  const auto now = clock.wall();
  Json& status = object["status"];
  status["observedGeneration"] = generation_of(object);
  status["latestCreatedRevisionName"] = name;
  const Condition ready = current ? condition_of(*current, "Ready") : Condition{};
  if (ready.status == "True") {
    status["latestReadyRevisionName"] = name;
    set_condition(object, {"Ready", "True", "", ""}, now);
  } else if (ready.status == "False") {
    set_condition(object,
                  {"Ready", "False", "RevisionFailed",
                   fmt::format("Revision \"{}\" failed: {}", name, ready.message)},
                  now);
  } else {
    set_condition(object, {"Ready", "Unknown", "Deploying", ""}, now);
  }
  const std::string ready_name = base::string_at(status, {"latestReadyRevisionName"});
  HEARTH_CO_CHECK_OK(co_await update_status(store, kConfigurations, key, std::move(status)));
  // Looking through all revisions of a namespace: only for who may have too many.
  if (generation_of(object) > static_cast<std::int64_t>(kRevisionsKept)) {
    co_await collect_revisions(key, ready_name, name);
  }
  co_return Requeue();
}

// Old revisions that no route names or serves go, the newest kRevisionsKept stay for rolling back.
Task<void> Serving::State::collect_revisions(ObjectKey configuration, std::string ready,
                                             std::string created) {
  std::set<std::string> routed{ready, created};
  for (const ObjectPtr& object : routes.in_namespace(configuration.ns)) {
    routed.merge(revisions_of(*object, traffic_view(key_of(*object))));
  }
  std::vector<ObjectPtr> spare;
  for (const ObjectPtr& object : revisions.in_namespace(configuration.ns)) {
    const bool ours = label_of(*object, label("configuration")) == configuration.name;
    if (ours && !routed.contains(name_of(*object))) spare.push_back(object);
  }
  if (spare.size() <= kRevisionsKept) co_return;
  std::ranges::sort(spare, {}, [](const ObjectPtr& object) {
    return base::string_at(*object, {"metadata", "creationTimestamp"}) + name_of(*object);
  });
  for (std::size_t i = 0; i + kRevisionsKept < spare.size(); ++i) {
    (void)co_await store.remove(kRevisions, key_of(*spare[i]), {});
  }
}

Task<Result<Requeue>> Serving::State::revision(ObjectKey key) {
  const ObjectPtr cached = revisions.get(key);
  if (!cached || is_being_deleted(*cached)) co_return Requeue();
  Json object = *cached;
  const RevisionSpec spec = parse_revision(object);
  const bool was_ready = is_condition_true(object, "Ready");
  (void)scaler.put(spec, was_ready);
  const RevisionHealth health = scaler.health(key.text());
  const auto now = clock.wall();
  if (!health.image_digest.empty()) {
    object["status"]["containerStatuses"] =
        Json::array({{{"name", spec.container}, {"imageDigest", health.image_digest}}});
  }
  const bool failed = health.state == RevisionHealth::State::kFailed && !health.was_ready;
  if (health.was_ready) {
    // A crash later on is the instance's trouble, not the revision's: it stays Ready.
    set_condition(object, {"ContainerHealthy", "True", "", ""}, now);
    set_condition(object, {"ResourcesAvailable", "True", "", ""}, now);
  } else if (failed) {
    set_condition(object, {"ContainerHealthy", "False", health.reason, health.message}, now);
    set_condition(object, {"ResourcesAvailable", "Unknown", "Deploying", ""}, now);
  } else {
    set_condition(object, {"ContainerHealthy", "Unknown", "Deploying", ""}, now);
    set_condition(object, {"ResourcesAvailable", "Unknown", "Deploying", ""}, now);
  }
  set_condition(
      object,
      {"Active", health.ready > 0 ? "True" : "False", health.ready > 0 ? "" : "NoTraffic", ""},
      now);
  set_ready(object, {"ContainerHealthy", "ResourcesAvailable"}, now);
  Json& status = object["status"];
  status["observedGeneration"] = generation_of(object);
  status["actualReplicas"] = health.ready;
  status["desiredReplicas"] = health.desired;
  HEARTH_CO_CHECK_OK(co_await update_status(store, kRevisions, key, status));
  record_readiness(*cached, object);
  co_return Requeue();
}

std::string Serving::State::latest(const ObjectKey& configuration, const char* field) const {
  const ObjectPtr found = configurations.get(configuration);
  return found ? base::string_at(*found, {"status", field}) : std::string();
}

TrafficView Serving::State::traffic_view(const ObjectKey& route) const {
  return {.state_of =
              [this, ns = route.ns](const std::string& name) {
                const ObjectPtr revision = revisions.get({ns, name});
                if (!revision) return RevisionState::kMissing;
                const std::string ready = condition_of(*revision, "Ready").status;
                if (ready == "True") return RevisionState::kReady;
                return ready == "False" ? RevisionState::kFailed : RevisionState::kNotReady;
              },
          .latest_ready =
              [this, ns = route.ns](const std::string& name) {
                return latest({ns, name}, "latestReadyRevisionName");
              },
          .latest_created =
              [this, ns = route.ns](const std::string& name) {
                return latest({ns, name}, "latestCreatedRevisionName");
              },
          .url_of = [this, route](const std::string& tag) { return url_of(route, tag); }};
}

Task<Result<Requeue>> Serving::State::route(ObjectKey key) {
  const ObjectPtr cached = routes.get(key);
  if (!cached || is_being_deleted(*cached)) {
    users.set(key, {});
    waiting.set(key, {});
    followers.set(key, {});
    co_return Requeue();
  }
  Json object = *cached;
  // Before the first look at them: what changes from now on brings the Route back here.
  followers.set(key, configurations_of(object));
  Assignment assignment = assign_traffic(object, traffic_view(key));
  if (assignment.condition.status != "True") {
    // The copy may lag behind what was assigned a moment ago, and that must be kept.
    HEARTH_CO_TRY(current, co_await store.get(kRoutes, key));
    object = *current;
    assignment = assign_traffic(object, traffic_view(key));
  }
  object["status"]["traffic"] = std::move(assignment.traffic);
  waiting.set(key, assignment.awaited);
  users.set(key, revisions_of(object, traffic_view(key)));
  const auto now = clock.wall();
  set_condition(object, assignment.condition, now);
  set_ready(object, {"AllTrafficAssigned"}, now);
  Json& status = object["status"];
  status["observedGeneration"] = generation_of(object);
  status["url"] = url_of(key);
  status["address"] = address_of(key);
  HEARTH_CO_CHECK_OK(co_await update_status(store, kRoutes, key, std::move(status)));
  schedule_rebuild();
  co_return Requeue();
}

// Of a revision that it follows a Route hears through its Configuration, but not of one that it
// names.
void Serving::State::wake_routes(const ObjectKey& revision, bool deleted) {
  for (const ObjectKey& route : (deleted ? users : waiting).routes_of(revision)) {
    route_controller.enqueue(route);
  }
}

// Many changes make one table. A table costs as much as there are routes, and each new function
// changes it several times: rebuilding takes at most a tenth of the time.
void Serving::State::schedule_rebuild() {
  rebuild_due = true;
  if (std::exchange(rebuild_waits, true)) return;
  tasks.spawn(rebuild_in_turn());
}

Task<void> Serving::State::rebuild_in_turn() {
  // A table that was asked for meanwhile moves the next turn.
  do {
    const auto wait = std::max(rebuild_not_before - clock.monotonic(), 0ns);
    if (!co_await async::sleep_for(wait)) co_return;
  } while (clock.monotonic() < rebuild_not_before);
  rebuild_waits = false;
  settle_table();
}

void Serving::State::settle_table() {
  if (!std::exchange(rebuild_due, false)) return;
  const auto begin = clock.monotonic();
  rebuild_table();
  const auto end = clock.monotonic();
  rebuild_not_before = end + 9 * (end - begin);
}

void Serving::State::add_to_table(const Json& object, gateway::RouteTable& table,
                                  std::set<std::string>& reachable) const {
  const ObjectKey key = key_of(object);
  auto route = std::make_shared<gateway::Route>();
  route->ns = key.ns;
  route->name = key.name;
  const Json* traffic = base::find(object, {"status", "traffic"});
  const std::size_t count = traffic != nullptr && traffic->is_array() ? traffic->size() : 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Json& target = (*traffic)[i];
    auto shared = scaler.revision(key.ns + "/" + base::string_at(target, {"revisionName"}));
    if (!shared) continue;
    reachable.insert(shared->key());
    const std::int64_t percent = base::int_at(target, {"percent"}).value_or(0);
    if (percent > 0) route->targets.push_back({shared, percent});
    const std::string tag = base::string_at(target, {"tag"});
    if (tag.empty()) continue;
    auto tagged =
        std::make_shared<gateway::Route>(gateway::Route{key.ns, key.name, {{shared, 100}}});
    table.by_host[fmt::format("{}-{}.{}.{}", tag, key.name, key.ns, options.domain)] = tagged;
    table.by_host[fmt::format("{}-{}.{}.svc.cluster.local", tag, key.name, key.ns)] = tagged;
  }
  for (const std::string& host :
       {fmt::format("{}.{}.{}", key.name, key.ns, options.domain),
        fmt::format("{}.{}.svc.cluster.local", key.name, key.ns),
        fmt::format("{}.{}.svc", key.name, key.ns), fmt::format("{}.{}", key.name, key.ns)}) {
    table.by_host[host] = route;
  }
  table.by_name[key.text()] = route;
}

void Serving::State::rebuild_table() {
  auto table = std::make_shared<gateway::RouteTable>();
  std::set<std::string> reachable;
  for (const auto& [key, object] : routes.all()) add_to_table(*object, *table, reachable);
  for (const auto& [key, object] : revisions.all()) {
    scaler.set_reachable(key.text(),
                         reachable.contains(key.text()) || !is_condition_true(*object, "Ready"));
  }
  publish(std::move(table));
}

}  // namespace hearth::serving
