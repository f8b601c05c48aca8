#include "emulator/eventing/metrics.h"

#include "emulator/eventing/deliverer.h"

namespace hearth::eventing {
namespace {

using telemetry::Labels;
using telemetry::MetricType;

Labels labels_of(const Route& route) {
  return {{"k8s_namespace_name", route.trigger.ns},
          {"kn_broker_name", route.broker},
          {"kn_trigger_name", route.trigger.name}};
}

Labels with(Labels labels, std::string_view name, std::string value) {
  labels.emplace_back(name, std::move(value));
  return labels;
}

}  // namespace

void write_metrics(telemetry::MetricsPage& page, EventingMetrics& metrics, const Catalog& catalog,
                   const Deliverer& deliverer) {
  std::erase_if(metrics.triggers, [&](const auto& item) { return !catalog.find(item.first); });
  page.family("hearth_broker_events_accepted_total", MetricType::kCounter,
              "Events that were answered 202, durable by then.");
  for (const auto& [broker, count] : metrics.accepted) {
    page.sample({{"k8s_namespace_name", broker.ns}, {"kn_broker_name", broker.name}},
                static_cast<double>(count.value()));
  }
  page.single("hearth_broker_events_refused_total", MetricType::kCounter,
              "Events that no broker took.", static_cast<double>(metrics.refused.value()));
  page.family("kn_eventing_dispatch_duration_seconds", MetricType::kHistogram,
              "Attempts to deliver to a subscriber, by its answer.");
  for (const auto& [key, counted] : metrics.triggers) {
    const Labels labels = labels_of(*catalog.find(key));
    counted.attempts.each([&](int code, const telemetry::Histogram& duration) {
      page.histogram(with(labels, "http_response_status_code", std::to_string(code)), duration);
    });
  }
  page.family("hearth_broker_deliveries_total", MetricType::kCounter,
              "Deliveries by what became of them; a retried one comes again.");
  for (const auto& [key, counted] : metrics.triggers) {
    const Labels labels = labels_of(*catalog.find(key));
    for (const auto& [name, counter] :
         {std::pair("delivered", &counted.delivered), std::pair("retried", &counted.retried),
          std::pair("dead_lettered", &counted.dead_lettered)}) {
      page.sample(with(labels, "result", name), static_cast<double>(counter->value()));
    }
  }
  page.family("hearth_broker_deliveries_waiting", MetricType::kGauge,
              "Deliveries that wait for their turn or their next attempt.");
  for (const auto& [key, route] : catalog.all()) {
    page.sample(labels_of(*route), static_cast<double>(deliverer.waiting(route->id)));
  }
}

}  // namespace hearth::eventing
