#include "emulator/eventing/trigger_controller.h"

#include <fmt/format.h>

#include "platform/base/text.h"
#include "platform/resource/condition.h"
#include "platform/resource/well_known.h"

namespace hearth::eventing {
namespace {

constexpr std::string_view kDependency = "knative.dev/dependency";
constexpr std::chrono::seconds kDependencyRecheck{2};

// The type that an ObjectReference names; the plural by the rule that all Knative kinds keep.
resource::Type type_of_reference(const Json& reference) {
  const std::string version = base::string_at(reference, {"apiVersion"});
  const auto slash = version.find('/');
  const std::string kind = base::string_at(reference, {"kind"});
  return {.group = slash == version.npos ? "" : version.substr(0, slash),
          .version = slash == version.npos ? version : version.substr(slash + 1),
          .plural = base::lower(kind) + "s",
          .kind = kind};
}

}  // namespace

TriggerController::TriggerController(async::Loop& loop, resource::Store& store,
                                     const base::Clock& clock, journal::Journal& journal,
                                     resource::Informer& triggers, resource::Informer& brokers,
                                     const Destinations& destinations, Catalog& catalog,
                                     Deliverer& deliverer, const Options& options)
    : store_(store),
      clock_(clock),
      journal_(journal),
      triggers_(triggers),
      brokers_(brokers),
      destinations_(destinations),
      catalog_(catalog),
      deliverer_(deliverer),
      options_(options),
      controller_(loop, "trigger", [this](resource::ObjectKey key) { return reconcile(key); }) {
  triggers_.on_change([this](const resource::ObjectPtr& trigger, bool) {
    controller_.enqueue(resource::key_of(*trigger));
  });
  // A Broker carries defaults for its triggers.
  brokers_.on_change([this](const resource::ObjectPtr& broker, bool) {
    for (const auto& trigger : triggers_.in_namespace(resource::namespace_of(*broker))) {
      if (base::string_at(*trigger, {"spec", "broker"}) == resource::name_of(*broker)) {
        controller_.enqueue(resource::key_of(*trigger));
      }
    }
  });
}

Task<Status> TriggerController::load() {
  for (const auto& [key, trigger] : std::map(triggers_.all())) {
    HEARTH_CO_TRY(route, co_await put(trigger));
  }
  HEARTH_CO_TRY(unfinished, journal_.unfinished_triggers());
  for (const auto& [id, trigger] : unfinished) {
    if (catalog_.find(id)) continue;
    HEARTH_CO_TRY(purged, co_await journal_.purge_pending(id));
  }
  co_return Status();
}

void TriggerController::start() { controller_.start(); }

Task<void> TriggerController::stop() { co_await controller_.stop(); }

void TriggerController::recheck(const resource::ObjectKey& addressed, bool deleted) {
  for (const resource::ObjectKey& key : referrers_.of(addressed)) {
    const resource::ObjectPtr trigger = triggers_.get(key);
    if (!trigger) continue;
    const bool settled = resource::is_condition_true(*trigger, "Ready") &&
                         resource::is_condition_true(*trigger, "DeadLetterSinkResolved");
    if (deleted || !settled) controller_.enqueue(key);
  }
}

Task<Result<RoutePtr>> TriggerController::put(resource::ObjectPtr trigger) {
  const resource::ObjectKey key = resource::key_of(*trigger);
  RoutePtr known = catalog_.find(key);
  if (known && known->trigger.uid != resource::uid_of(*trigger)) {
    HEARTH_CO_CHECK_OK(co_await remove(key));
    known = nullptr;
  }
  const auto broker = brokers_.get({key.ns, base::string_at(*trigger, {"spec", "broker"})});
  auto route = std::make_shared<Route>(compile_route(*trigger, broker.get(), options_.parallelism));
  referrers_.put(key, named_objects({&route->subscriber, &route->dead_letter_sink}, key.ns));
  if (known) {
    route->id = known->id;
  } else {
    HEARTH_CO_TRY(id, co_await journal_.intern(route->trigger));
    route->id = id;
  }
  // Into the catalog first: what is due from a former run starts within open(), and a delivery
  // without its route would count as done.
  catalog_.put(route);
  if (const Status opened = deliverer_.open(*route); !opened) {
    catalog_.remove(key);
    co_return fail(opened.error());
  }
  co_return route;
}

Task<Status> TriggerController::remove(resource::ObjectKey key) {
  referrers_.erase(key);
  const RoutePtr route = catalog_.remove(key);
  if (!route) co_return Status();
  co_await deliverer_.close(route->id);
  HEARTH_CO_TRY(purged, co_await journal_.purge_pending(route->id));
  co_return Status();
}

Task<Result<resource::Requeue>> TriggerController::reconcile(resource::ObjectKey key) {
  const resource::ObjectPtr known = triggers_.get(key);
  if (!known || resource::is_being_deleted(*known)) {
    HEARTH_CO_CHECK_OK(co_await remove(key));
    co_return std::nullopt;
  }
  HEARTH_CO_TRY(route, co_await put(known));
  Json trigger = *known;
  trigger["status"]["observedGeneration"] = resource::generation_of(trigger);
  const Dependency dependency = co_await check_dependency(known);
  resource::set_condition(trigger, dependency.condition, clock_.wall());
  set_conditions(trigger, *route);
  HEARTH_CO_CHECK_OK(
      co_await resource::update_status(store_, resource::kTriggers, key, trigger["status"]));
  co_return dependency.again;
}

void TriggerController::set(Json& trigger, const char* type, bool holds, const char* reason,
                            std::string message) {
  resource::set_condition(trigger, {type, holds ? "True" : "False", reason, std::move(message)},
                          clock_.wall());
}

// The object that the annotation names must be ready first.
Task<TriggerController::Dependency> TriggerController::check_dependency(
    resource::ObjectPtr trigger) {
  Dependency dependency{{"DependencyReady", "True", {}, {}}, std::nullopt};
  const std::string text = resource::annotation_of(*trigger, kDependency);
  if (text.empty()) co_return dependency;
  const auto reference = base::parse_json(text);
  if (!reference || !reference->is_object()) {
    dependency.condition = {"DependencyReady", "False", "DependencyInvalid",
                            fmt::format("annotation {} is no JSON object", kDependency)};
    co_return dependency;
  }
  const std::string name = base::string_at(*reference, {"name"});
  const auto object =
      co_await store_.get(type_of_reference(*reference), {resource::namespace_of(*trigger), name});
  if (object && resource::is_condition_true(**object, "Ready")) co_return dependency;
  dependency.condition = {"DependencyReady", "False",
                          object ? "DependencyNotReady" : "DependencyDoesNotExist",
                          fmt::format("{} \"{}\"", base::string_at(*reference, {"kind"}), name)};
  dependency.again = kDependencyRecheck;
  co_return dependency;
}

void TriggerController::set_conditions(Json& trigger, const Route& route) {
  const bool has_broker = brokers_.get({route.trigger.ns, route.broker}) != nullptr;
  if (has_broker)
    set(trigger, "BrokerReady", true);
  else
    set(trigger, "BrokerReady", false, "BrokerDoesNotExist",
        fmt::format("Broker \"{}\" does not exist", route.broker));
  const auto subscriber = destinations_.resolve(route.subscriber, route.trigger.ns);
  trigger["status"].erase("subscriberUri");
  if (subscriber) {
    trigger["status"]["subscriberUri"] = subscriber->url;
    set(trigger, "SubscriberResolved", true);
  } else {
    set(trigger, "SubscriberResolved", false, "SubscriberNotResolved", subscriber.error().message);
  }
  if (route.active)
    set(trigger, "SubscriptionReady", true);
  else
    set(trigger, "SubscriptionReady", false, "InvalidSpec", route.problem);
  set_dead_letter_sink(trigger, route);
  for (const char* type :
       {"BrokerReady", "DependencyReady", "SubscriberResolved", "SubscriptionReady"}) {
    const resource::Condition condition = resource::condition_of(trigger, type);
    if (condition.status == "True") continue;
    set(trigger, "Ready", false, condition.reason.c_str(), condition.message);
    return;
  }
  set(trigger, "Ready", true);
}

// Not part of Ready: dead letters are kept here in any case.
void TriggerController::set_dead_letter_sink(Json& trigger, const Route& route) {
  trigger["status"].erase("deadLetterSinkUri");
  if (route.dead_letter_sink.is_null()) {
    set(trigger, "DeadLetterSinkResolved", true, "DeadLetterSinkNotConfigured");
    return;
  }
  const auto sink = destinations_.resolve(route.dead_letter_sink, route.trigger.ns);
  if (!sink) {
    set(trigger, "DeadLetterSinkResolved", false, "DeadLetterSinkNotResolved",
        sink.error().message);
    return;
  }
  trigger["status"]["deadLetterSinkUri"] = sink->url;
  set(trigger, "DeadLetterSinkResolved", true);
}

}  // namespace hearth::eventing
