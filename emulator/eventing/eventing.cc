#include "emulator/eventing/eventing.h"

#include "emulator/eventing/admin.h"
#include "emulator/eventing/broker_controller.h"
#include "emulator/eventing/catalog.h"
#include "emulator/eventing/deliverer.h"
#include "emulator/eventing/destination.h"
#include "emulator/eventing/ingress.h"
#include "emulator/eventing/source_controller.h"
#include "emulator/eventing/trigger_controller.h"
#include "emulator/journal/journal.h"
#include "platform/async/timer.h"
#include "platform/resource/well_known.h"
#include "platform/telemetry/log.h"

namespace hearth::eventing {
namespace {

constexpr telemetry::Log kLog("eventing");
constexpr std::chrono::seconds kUpkeepEvery{1};
// Retention steps in one go: 20 · 2,000 events a second is more than comes in.
constexpr int kExpireStepsMax = 20;
constexpr std::chrono::seconds kLoadRetry{1};

}  // namespace

struct Eventing::State {
  State(async::Loop& loop, resource::Store& store, journal::Journal& journal_room,
        const base::Clock& clock, Dispatch dispatch_function, Options chosen);

  void watch_addressables();
  Task<void> run();
  Task<void> bring_up();
  Task<void> upkeep();
  Task<void> stop();

  journal::Journal& journal;
  const Options options;
  const Dispatch dispatch;
  resource::Informer brokers;
  resource::Informer triggers;
  resource::Informer knative_services;
  resource::Informer services;
  resource::Informer namespaces;
  resource::Informer pings;
  resource::Informer cron_jobs;
  Destinations destinations;
  Catalog catalog;
  EventingMetrics metrics;
  Deliverer deliverer;
  Ingress ingress;
  Admin admin;
  BrokerController broker_controller;
  TriggerController trigger_controller;
  SourceController ping_controller;
  SourceController cron_job_controller;
  async::TaskGroup tasks;
  bool stopping = false;

 private:
  Deliverer::Publish publisher() {
    return [this](std::string ns, std::string broker, event::CloudEvent event) {
      return ingress.publish(std::move(ns), std::move(broker), std::move(event));
    };
  }
};

Eventing::State::State(async::Loop& loop, resource::Store& store, journal::Journal& journal_room,
                       const base::Clock& clock, Dispatch dispatch_function, Options chosen)
    : journal(journal_room),
      options(std::move(chosen)),
      dispatch(std::move(dispatch_function)),
      brokers(loop, store, resource::kBrokers),
      triggers(loop, store, resource::kTriggers),
      knative_services(loop, store, resource::kKnativeServices),
      services(loop, store, resource::kServices),
      namespaces(loop, store, resource::kNamespaces),
      pings(loop, store, resource::kPingSources),
      cron_jobs(loop, store, resource::kCronJobSources),
      destinations(knative_services, services, brokers, options.address),
      deliverer(loop, clock, journal, catalog, destinations, dispatch, publisher(), metrics,
                options),
      ingress(loop, clock, journal, brokers, catalog, deliverer, metrics, options),
      admin(journal, catalog, deliverer),
      broker_controller(loop, store, clock, brokers, namespaces, destinations),
      trigger_controller(loop, store, clock, journal, triggers, brokers, destinations, catalog,
                         deliverer, options),
      ping_controller(loop, store, clock, kPingSource, pings, destinations, dispatch, publisher()),
      cron_job_controller(loop, store, clock, kCronJobSource, cron_jobs, destinations, dispatch,
                          publisher()),
      tasks(loop) {
  watch_addressables();
}

// Who names an object looks again when it comes, and when it goes.
void Eventing::State::watch_addressables() {
  for (resource::Informer* informer : {&brokers, &knative_services, &services}) {
    informer->on_change([this](const resource::ObjectPtr& object, bool deleted) {
      const resource::ObjectKey key = resource::key_of(*object);
      broker_controller.recheck(key, deleted);
      trigger_controller.recheck(key, deleted);
      ping_controller.recheck(key, deleted);
      cron_job_controller.recheck(key, deleted);
    });
  }
}

// A task that is cut off may end by an exception.
Task<void> Eventing::State::run() {
  try {
    co_await bring_up();
    co_await upkeep();
  } catch (const std::exception& e) {
    if (!stopping) kLog.error("bug", {{"where", "eventing"}, {"error", e.what()}});
  }
}

Task<void> Eventing::State::bring_up() {
  for (resource::Informer* informer :
       {&brokers, &triggers, &knative_services, &services, &namespaces, &pings, &cron_jobs}) {
    co_await informer->wait_synced();
    if (stopping) co_return;
  }
  while (true) {
    const Status loaded = co_await trigger_controller.load();
    if (stopping) co_return;
    if (loaded) break;
    kLog.warn("triggers_not_loaded", {{"error", loaded.error().message}});
    if (!co_await async::sleep_for(kLoadRetry)) co_return;
  }
  broker_controller.start();
  trigger_controller.start();
  ping_controller.start();
  cron_job_controller.start();
  ingress.open();
}

Task<void> Eventing::State::upkeep() {
  while (!stopping && co_await async::sleep_for(kUpkeepEvery)) {
    for (int step = 0; step < kExpireStepsMax && !stopping; ++step) {
      const auto expired = co_await journal.expire();
      if (!expired || *expired == 0) break;
    }
    if (stopping) co_return;
    const auto trimmed = co_await journal.trim_dead_letters(options.dead_letters_max);
    if (trimmed && *trimmed > 0) kLog.warn("dead_letters_dropped", {{"count", *trimmed}});
  }
}

Task<void> Eventing::State::stop() {
  stopping = true;
  ingress.close();
  tasks.cancel();
  co_await broker_controller.stop();
  co_await trigger_controller.stop();
  co_await ping_controller.stop();
  co_await cron_job_controller.stop();
  co_await deliverer.stop();
  co_await tasks.drain();
}

Eventing::Eventing(async::Loop& loop, resource::Store& store, journal::Journal& journal,
                   const base::Clock& clock, Dispatch dispatch, Options options)
    : state_(std::make_unique<State>(loop, store, journal, clock, std::move(dispatch),
                                     std::move(options))) {}

Eventing::~Eventing() = default;

void Eventing::start() {
  for (resource::Informer* informer :
       {&state_->brokers, &state_->triggers, &state_->knative_services, &state_->services,
        &state_->namespaces, &state_->pings, &state_->cron_jobs}) {
    state_->tasks.spawn(informer->run());
  }
  state_->tasks.spawn(state_->run());
}

Task<void> Eventing::stop() { co_await state_->stop(); }

Task<void> Eventing::ingress(http::Exchange& exchange, std::string ns, std::string broker) {
  return state_->ingress.handle(exchange, std::move(ns), std::move(broker));
}

Task<Status> Eventing::publish(std::string ns, std::string broker, event::CloudEvent event) {
  return state_->ingress.publish(std::move(ns), std::move(broker), std::move(event));
}

void Eventing::write_metrics(telemetry::MetricsPage& page) const {
  eventing::write_metrics(page, state_->metrics, state_->catalog, state_->deliverer);
}

Task<void> Eventing::admin(http::Exchange& exchange) { return state_->admin.handle(exchange); }

}  // namespace hearth::eventing
