#include "emulator/eventing/broker_controller.h"

#include "platform/resource/condition.h"
#include "platform/resource/well_known.h"

namespace hearth::eventing {
namespace {

constexpr std::string_view kInjection = "eventing.knative.dev/injection";
constexpr const char* kInjected = "default";

}  // namespace

BrokerController::BrokerController(async::Loop& loop, resource::Store& store,
                                   const base::Clock& clock, resource::Informer& brokers,
                                   resource::Informer& namespaces, const Destinations& destinations)
    : store_(store),
      clock_(clock),
      brokers_(brokers),
      namespaces_(namespaces),
      destinations_(destinations),
      controller_(loop, "broker", [this](resource::ObjectKey key) { return reconcile(key); }),
      injector_(
          loop, "broker-injection", [this](resource::ObjectKey key) { return inject(key); }, 1) {
  brokers_.on_change([this](const resource::ObjectPtr& broker, bool deleted) {
    controller_.enqueue(resource::key_of(*broker));
    // The injected Broker comes back, as upstream.
    if (deleted) injector_.enqueue({"", resource::namespace_of(*broker)});
  });
  namespaces_.on_change(
      [this](const resource::ObjectPtr& ns, bool) { injector_.enqueue(resource::key_of(*ns)); });
}

void BrokerController::start() {
  controller_.start();
  injector_.start();
}

Task<void> BrokerController::stop() {
  co_await controller_.stop();
  co_await injector_.stop();
}

void BrokerController::recheck(const resource::ObjectKey& addressed, bool deleted) {
  for (const resource::ObjectKey& key : referrers_.of(addressed)) {
    const resource::ObjectPtr broker = brokers_.get(key);
    if (!broker) continue;
    if (deleted || !resource::is_condition_true(*broker, "DeadLetterSinkResolved")) {
      controller_.enqueue(key);
    }
  }
}

Task<Result<resource::Requeue>> BrokerController::reconcile(resource::ObjectKey key) {
  const resource::ObjectPtr known = brokers_.get(key);
  if (!known || resource::is_being_deleted(*known)) {
    referrers_.erase(key);
    co_return std::nullopt;
  }
  Json broker = *known;
  const std::string url = destinations_.broker_url(key);
  Json& status = broker["status"];
  status["observedGeneration"] = resource::generation_of(broker);
  status["address"] = {{"name", "http"}, {"url", url}};
  status["addresses"] = Json::array({status["address"]});
  const base::WallTime now = clock_.wall();
  for (const char* type :
       {"Addressable", "FilterReady", "IngressReady", "Ready", "TriggerChannelReady"}) {
    resource::set_condition(broker, {type, "True", {}, {}}, now);
  }
  set_dead_letter_sink(broker);
  HEARTH_CO_CHECK_OK(
      co_await resource::update_status(store_, resource::kBrokers, key, broker["status"]));
  co_return std::nullopt;
}

// A sink that can't be resolved leaves the Broker ready: dead letters are kept here in any case.
void BrokerController::set_dead_letter_sink(Json& broker) {
  const base::WallTime now = clock_.wall();
  const Json* sink = base::find(broker, {"spec", "delivery", "deadLetterSink"});
  referrers_.put(resource::key_of(broker), named_objects({sink}, resource::namespace_of(broker)));
  broker["status"].erase("deadLetterSinkUri");
  if (sink == nullptr || sink->is_null() || sink->empty()) {
    resource::set_condition(
        broker, {"DeadLetterSinkResolved", "True", "DeadLetterSinkNotConfigured", {}}, now);
    return;
  }
  const auto resolved = destinations_.resolve(*sink, resource::namespace_of(broker));
  if (!resolved) {
    resource::set_condition(
        broker,
        {"DeadLetterSinkResolved", "False", "DeadLetterSinkNotResolved", resolved.error().message},
        now);
    return;
  }
  broker["status"]["deadLetterSinkUri"] = resolved->url;
  resource::set_condition(broker, {"DeadLetterSinkResolved", "True", {}, {}}, now);
}

Task<Result<resource::Requeue>> BrokerController::inject(resource::ObjectKey key) {
  const resource::ObjectPtr ns = namespaces_.get({"", key.name});
  if (!ns || resource::is_being_deleted(*ns)) co_return std::nullopt;
  if (resource::label_of(*ns, kInjection) != "enabled") co_return std::nullopt;
  if (brokers_.get({key.name, kInjected})) co_return std::nullopt;
  Json broker = resource::new_object(resource::kBrokers, {key.name, kInjected});
  broker["metadata"]["labels"] = {{"eventing.knative.dev/injection", "enabled"}};
  broker["spec"] = Json::object();
  const auto created = co_await store_.create(resource::kBrokers, std::move(broker), {});
  if (!created && created.error().code != Code::kAlreadyExists) co_return fail(created.error());
  co_return std::nullopt;
}

}  // namespace hearth::eventing
