// The embedded Knative Eventing: brokers take events, triggers choose, subscribers receive; what
// fails is retried, then kept as a dead letter. PingSource and CronJobSource send on schedule.
//
// Promises: 202 only after the event is durable; every (event, matching trigger) pair ends once,
// delivered, dead-lettered or purged; no trigger delays another or the producer; retry state
// survives a restart; a reply is stored before its cause is done.
//
// Lives on one loop: construct and call everything on it, the HTTP handlers too.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/base/limits.h"
#include "platform/base/result.h"
#include "platform/event/cloud_event.h"
#include "platform/http/client.h"
#include "platform/http/exchange.h"
#include "platform/resource/event_recorder.h"

namespace hearth::async {
class Loop;
}
namespace hearth::journal {
class Journal;
}
namespace hearth::resource {
class Store;
}
namespace hearth::telemetry {
class MetricsPage;
}

namespace hearth::eventing {

// Sends a POST to a subscriber or sink. The assembly resolves the well-known cluster names (the
// gateway for Services, this room for brokers). Redirects are not followed. Any status is a
// success here; errors are for answers that did not come.
using Dispatch = std::function<Task<Result<http::Response>>(
    http::Url url, http::Headers headers, std::string body, std::chrono::milliseconds timeout)>;

struct Options {
  std::size_t event_bytes_max = limits::kEventBytesMax;
  // Deliveries of one trigger under way at once, unless the Trigger's annotation
  // rabbitmq.eventing.knative.dev/parallelism says otherwise.
  std::size_t parallelism = 10;
  // One attempt, when DeliverySpec.timeout is unset: Knative's longest revision timeout.
  std::chrono::milliseconds attempt_timeout{600'000};
  // Longest wait between attempts, when DeliverySpec.backoffMax is unset.
  std::chrono::milliseconds backoff_max{60'000};
  // Dead letters kept; beyond it the oldest go (x-max-length of the installed CRD).
  std::size_t dead_letters_max = 50'000;
  resource::RecordEvent record;  // may be empty
  std::string address = "http://broker-ingress.knative-eventing.svc.cluster.local";
};

class Eventing {
 public:
  // `journal` is loaded; all references outlive this object.
  Eventing(async::Loop& loop, resource::Store& store, journal::Journal& journal,
           const base::Clock& clock, Dispatch dispatch, Options options);
  ~Eventing();
  Eventing(const Eventing&) = delete;
  Eventing& operator=(const Eventing&) = delete;

  // Starts controllers, sources and the deliveries that a former run left. Requests are taken from
  // here on; they wait until the triggers are known.
  void start();
  // Attempts under way are cut off; they are made again after the next start. Call when no handler
  // is running any more, before the journal stops.
  Task<void> stop();

  // A request for one broker, whatever its path: POST of an event, OPTIONS (webhook handshake).
  // 202, 400 (problem JSON that names the attribute), 404, 405, 413, 415, 503 with Retry-After.
  Task<void> ingress(http::Exchange& exchange, std::string ns, std::string broker);

  // The same without HTTP; returns once the event is durable. kInvalid (attributes, or its hops are
  // used up), kNotFound (broker), kUnavailable, kStorageFull.
  Task<Status> publish(std::string ns, std::string broker, event::CloudEvent event);

  // Paths under /hearth/v1/: events, events/{sequence or id}, deadletters, deadletters/{id},
  // deadletters/{id}/replay, deadletters/replay. JSON. See docs in admin.h.
  Task<void> admin(http::Exchange& exchange);

  void write_metrics(telemetry::MetricsPage& page) const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace hearth::eventing
