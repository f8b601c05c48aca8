// Where events come in: over HTTP, from replies and from sources. Answers once the event is durable
// together with the list of its deliveries.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "emulator/eventing/catalog.h"
#include "emulator/eventing/deliverer.h"
#include "emulator/eventing/eventing.h"
#include "emulator/eventing/metrics.h"
#include "emulator/journal/journal.h"
#include "platform/async/signal.h"
#include "platform/resource/informer.h"

namespace hearth::eventing {

class Ingress {
 public:
  Ingress(async::Loop& loop, const base::Clock& clock, journal::Journal& journal,
          const resource::Informer& brokers, const Catalog& catalog, Deliverer& deliverer,
          EventingMetrics& metrics, const Options& options);

  // The triggers are known: what has waited goes on.
  void open();
  // What waits, and what comes from now on, is answered kUnavailable.
  void close();

  Task<void> handle(http::Exchange& exchange, std::string ns, std::string broker);
  Task<Status> publish(std::string ns, std::string broker, event::CloudEvent event);

 private:
  enum class Phase { kStarting, kOpen, kClosed };

  // All or none.
  Task<Status> accept(std::string ns, std::string broker, std::vector<event::CloudEvent> events,
                      std::vector<event::Attribute> headers);
  Task<void> take_post(http::Exchange& exchange, std::string ns, std::string broker);
  Error unknown_broker(const std::string& ns, const std::string& broker) const;
  // Arrival time and hop counter; kInvalid when the hops are used up.
  Status stamp(event::CloudEvent& event, base::WallTime now, std::string_view trace_id) const;

  const base::Clock& clock_;
  journal::Journal& journal_;
  const resource::Informer& brokers_;
  const Catalog& catalog_;
  Deliverer& deliverer_;
  EventingMetrics& metrics_;
  const Options& options_;
  async::Signal phase_changed_;
  Phase phase_ = Phase::kStarting;
};

}  // namespace hearth::eventing
