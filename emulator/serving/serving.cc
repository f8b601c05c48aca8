#include "emulator/serving/serving.h"

#include <set>

#include <fmt/format.h>

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

constexpr std::string_view kPrefix = "serving.knative.dev/";
constexpr std::size_t kRevisionsKept =
    20;  // config-gc: max-non-active-revisions is 1000; less here

std::string label(const char* name) { return std::string(kPrefix) + name; }

// "hello-00001": the configuration's name and its generation.
std::string revision_name(const std::string& configuration, std::int64_t generation) {
  return fmt::format("{}-{:05}", configuration, generation);
}

void copy_map(const Json& from, const char* field, Json& to) {
  const Json* map = base::find(from, {"metadata", field});
  if (map == nullptr || !map->is_object()) return;
  for (const auto& [key, value] : map->items()) {
    if (key != "kubectl.kubernetes.io/last-applied-configuration")
      to["metadata"][field][key] = value;
  }
}

Json child_of(const Type& type, const Json& owner, const std::string& name) {
  Json child = new_object(type, {namespace_of(owner), name});
  copy_map(owner, "labels", child);
  copy_map(owner, "annotations", child);
  set_controller(child, owner);
  return child;
}

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
  Task<Result<Requeue>> revision(ObjectKey key);
  Task<Result<Requeue>> route(ObjectKey key);
  Task<void> collect_revisions(ObjectKey configuration, std::string ready, std::string created);
  void record_readiness(const Json& before, const Json& after) const;
  std::string url_of(const ObjectKey& key, const std::string& tag = {}) const;
  void rebuild_table();
  void schedule_rebuild();
  Task<void> rebuild_in_turn();
  void settle_table();
  std::vector<std::pair<std::string, std::int64_t>> targets_of(const Json& route) const;

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
  bool rebuild_due = false;
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
    configuration_controller.enqueue(key_of(*object));
    service_controller.enqueue(key_of(*object));
    route_controller.enqueue(key_of(*object));
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
  Json config = child_of(kConfigurations, object, key.name);
  config["metadata"]["labels"][label("service")] = key.name;
  config["metadata"]["labels"][label("serviceUID")] = uid_of(object);
  config["spec"]["template"] = object["spec"].value("template", Json::object());
  HEARTH_CO_TRY(configuration_now, co_await apply(store, kConfigurations, std::move(config)));
  Json wanted_route = child_of(kRoutes, object, key.name);
  wanted_route["metadata"]["labels"][label("service")] = key.name;
  Json traffic = object["spec"].value("traffic", Json::array());
  if (!traffic.is_array() || traffic.empty()) {
    traffic = Json::array({{{"latestRevision", true}, {"percent", 100}}});
  }
  for (Json& target : traffic) {
    // In a Service "latest" means its own configuration.
    if (!target.contains("revisionName")) target["configurationName"] = key.name;
  }
  wanted_route["spec"]["traffic"] = std::move(traffic);
  HEARTH_CO_TRY(route_now, co_await apply(store, kRoutes, std::move(wanted_route)));

  const auto now = clock.wall();
  const auto mirror = [&](const Json& child, const char* type) {
    Condition ready = condition_of(child, "Ready");
    const bool observed =
        base::int_at(child, {"status", "observedGeneration"}) == generation_of(child);
    if (!observed || ready.type.empty()) ready = {"", "Unknown", "Deploying", ""};
    set_condition(object, {type, ready.status, ready.reason, ready.message}, now);
  };
  mirror(*configuration_now, "ConfigurationsReady");
  mirror(*route_now, "RoutesReady");
  set_ready(object, {"ConfigurationsReady", "RoutesReady"}, now);
  Json& status = object["status"];
  status["observedGeneration"] = generation_of(object);
  status["url"] = url_of(key);
  status["address"] = {{"url", fmt::format("http://{}.{}.svc.cluster.local", key.name, key.ns)}};
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

Task<Result<Requeue>> Serving::State::configuration(ObjectKey key) {
  const ObjectPtr cached = configurations.get(key);
  if (!cached || is_being_deleted(*cached)) co_return Requeue();
  Json object = *cached;
  const Json pod_template = object["spec"].value("template", Json::object());
  std::string name = base::string_at(pod_template, {"metadata", "name"});
  if (name.empty()) name = revision_name(key.name, generation_of(object));
  ObjectPtr current = revisions.get({key.ns, name});
  if (!current) {
    Json revision = new_object(kRevisions, {key.ns, name});
    copy_map(pod_template, "labels", revision);
    copy_map(pod_template, "annotations", revision);
    Json& labels = revision["metadata"]["labels"];
    labels[label("configuration")] = key.name;
    labels[label("configurationGeneration")] = std::to_string(generation_of(object));
    labels[label("configurationUID")] = uid_of(object);
    labels[label("service")] = label_of(object, label("service"));
    labels[label("serviceUID")] = label_of(object, label("serviceUID"));
    labels[label("routingState")] = "active";
    set_controller(revision, object);
    revision["spec"] = pod_template.value("spec", Json::object());
    auto created = co_await store.create(kRevisions, std::move(revision), {});
    if (!created && created.error().code != Code::kAlreadyExists) co_return fail(created.error());
    current = created ? *created : nullptr;
  }
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

// Old revisions that no route names go, the newest kRevisionsKept stay for rolling back.
Task<void> Serving::State::collect_revisions(ObjectKey configuration, std::string ready,
                                             std::string created) {
  std::set<std::string> routed{ready, created};
  for (const ObjectPtr& object : routes.in_namespace(configuration.ns)) {
    for (const auto& [name, percent] : targets_of(*object)) routed.insert(name);
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

std::vector<std::pair<std::string, std::int64_t>> Serving::State::targets_of(
    const Json& route) const {
  std::vector<std::pair<std::string, std::int64_t>> out;
  const Json* traffic = base::find(route, {"spec", "traffic"});
  if (traffic == nullptr || !traffic->is_array()) return out;
  for (const Json& target : *traffic) {
    std::string name = base::string_at(target, {"revisionName"});
    if (name.empty()) {
      const std::string configuration =
          base::string_at(target, {"configurationName"}, name_of(route));
      if (const ObjectPtr object = configurations.get({namespace_of(route), configuration})) {
        name = base::string_at(*object, {"status", "latestReadyRevisionName"});
      }
    }
    if (!name.empty()) {
      out.emplace_back(name,
                       base::int_at(target, {"percent"}).value_or(traffic->size() == 1 ? 100 : 0));
    }
  }
  return out;
}

Task<Result<Requeue>> Serving::State::route(ObjectKey key) {
  const ObjectPtr cached = routes.get(key);
  if (!cached || is_being_deleted(*cached)) co_return Requeue();
  Json object = *cached;
  const auto now = clock.wall();
  Json traffic = Json::array();
  std::string missing;
  const Json* wanted = base::find(object, {"spec", "traffic"});
  const std::size_t count = wanted != nullptr && wanted->is_array() ? wanted->size() : 0;
  for (std::size_t i = 0; i < count; ++i) {
    Json target = (*wanted)[i];
    std::string name = base::string_at(target, {"revisionName"});
    if (name.empty()) {
      const ObjectPtr config =
          configurations.get({key.ns, base::string_at(target, {"configurationName"}, key.name)});
      if (config) name = base::string_at(*config, {"status", "latestReadyRevisionName"});
      target["latestRevision"] = true;
    } else if (!revisions.get({key.ns, name})) {
      missing = name;
    }
    target.erase("configurationName");
    if (name.empty()) continue;
    target["revisionName"] = name;
    const std::string tag = base::string_at(target, {"tag"});
    if (!tag.empty()) target["url"] = url_of(key, tag);
    traffic.push_back(std::move(target));
  }
  if (!missing.empty()) {
    set_condition(object,
                  {"AllTrafficAssigned", "False", "RevisionMissing",
                   fmt::format("Revision \"{}\" referenced in traffic not found.", missing)},
                  now);
  } else if (traffic.size() < count || count == 0) {
    set_condition(object,
                  {"AllTrafficAssigned", "Unknown", "RevisionMissing",
                   "Configuration is waiting for a Revision to become ready."},
                  now);
  } else {
    set_condition(object, {"AllTrafficAssigned", "True", "", ""}, now);
  }
  set_ready(object, {"AllTrafficAssigned"}, now);
  Json& status = object["status"];
  status["observedGeneration"] = generation_of(object);
  status["traffic"] = std::move(traffic);
  status["url"] = url_of(key);
  status["address"] = {{"url", fmt::format("http://{}.{}.svc.cluster.local", key.name, key.ns)}};
  HEARTH_CO_CHECK_OK(co_await update_status(store, kRoutes, key, std::move(status)));
  schedule_rebuild();
  co_return Requeue();
}

// Many changes make one table. A table costs as much as there are routes, and each new function
// changes it several times: rebuilding takes at most a tenth of the time.
void Serving::State::schedule_rebuild() {
  if (std::exchange(rebuild_due, true)) return;
  tasks.spawn(rebuild_in_turn());
}

Task<void> Serving::State::rebuild_in_turn() {
  if (!co_await async::sleep_for(std::max(rebuild_not_before - clock.monotonic(), 0ns))) co_return;
  settle_table();
}

void Serving::State::settle_table() {
  if (!std::exchange(rebuild_due, false)) return;
  const auto begin = clock.monotonic();
  rebuild_table();
  const auto end = clock.monotonic();
  rebuild_not_before = end + 9 * (end - begin);
}

void Serving::State::rebuild_table() {
  auto table = std::make_shared<gateway::RouteTable>();
  std::set<std::string> reachable;
  for (const auto& [key, object] : routes.all()) {
    auto route = std::make_shared<gateway::Route>();
    route->ns = key.ns;
    route->name = key.name;
    const Json* traffic = base::find(*object, {"status", "traffic"});
    if (traffic != nullptr && traffic->is_array()) {
      for (const Json& target : *traffic) {
        const std::string name = base::string_at(target, {"revisionName"});
        auto shared = scaler.revision(key.ns + "/" + name);
        if (!shared) continue;
        reachable.insert(shared->key());
        const std::int64_t percent =
            base::int_at(target, {"percent"}).value_or(traffic->size() == 1 ? 100 : 0);
        if (percent > 0) route->targets.push_back({shared, percent});
        const std::string tag = base::string_at(target, {"tag"});
        if (tag.empty()) continue;
        auto tagged =
            std::make_shared<gateway::Route>(gateway::Route{key.ns, key.name, {{shared, 100}}});
        table->by_host[fmt::format("{}-{}.{}.{}", tag, key.name, key.ns, options.domain)] = tagged;
        table->by_host[fmt::format("{}-{}.{}.svc.cluster.local", tag, key.name, key.ns)] = tagged;
      }
    }
    for (const std::string& host :
         {fmt::format("{}.{}.{}", key.name, key.ns, options.domain),
          fmt::format("{}.{}.svc.cluster.local", key.name, key.ns),
          fmt::format("{}.{}.svc", key.name, key.ns), fmt::format("{}.{}", key.name, key.ns)}) {
      table->by_host[host] = route;
    }
    table->by_name[key.text()] = route;
  }
  for (const auto& [key, object] : revisions.all()) {
    scaler.set_reachable(key.text(),
                         reachable.contains(key.text()) || !is_condition_true(*object, "Ready"));
  }
  publish(std::move(table));
}

}  // namespace hearth::serving
