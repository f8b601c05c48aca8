// What the broker counts. Lives on the room's loop.
#pragma once

#include <map>
#include <string>

#include "emulator/eventing/catalog.h"
#include "platform/resource/object.h"
#include "platform/telemetry/metrics.h"

namespace hearth::eventing {

class Deliverer;

struct TriggerMetrics {
  // Attempts by the subscriber's answer; 500 when none came, as Knative's dispatcher counts it.
  telemetry::RequestMetrics attempts;
  telemetry::Counter delivered;
  telemetry::Counter retried;
  telemetry::Counter dead_lettered;
};

struct EventingMetrics {
  std::map<resource::ObjectKey, telemetry::Counter> accepted;  // by broker
  telemetry::Counter refused;
  std::map<resource::ObjectKey, TriggerMetrics> triggers;

  TriggerMetrics& of(const Route& route) {
    return triggers[{route.trigger.ns, route.trigger.name}];
  }
};

// Only of triggers that there are: what was counted of others is forgotten here.
void write_metrics(telemetry::MetricsPage& page, EventingMetrics& metrics, const Catalog& catalog,
                   const Deliverer& deliverer);

}  // namespace hearth::eventing
