// Brings events to subscribers: a lane a trigger for deliveries, one for its dead letter sink.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "emulator/eventing/catalog.h"
#include "emulator/eventing/destination.h"
#include "emulator/eventing/eventing.h"
#include "emulator/eventing/lane.h"
#include "emulator/eventing/metrics.h"
#include "emulator/journal/journal.h"

namespace hearth::eventing {

class Deliverer {
 public:
  // Stores an event that a subscriber replied with.
  using Publish =
      std::function<Task<Status>(std::string ns, std::string broker, event::CloudEvent event)>;

  Deliverer(async::Loop& loop, const base::Clock& clock, journal::Journal& journal,
            const Catalog& catalog, const Destinations& destinations, const Dispatch& dispatch,
            Publish publish, EventingMetrics& metrics, const Options& options);

  // Makes the trigger's lanes, or gives them their new parallelism. New lanes begin with what the
  // journal says is waiting.
  Status open(const Route& route);
  // Ends the lanes of a trigger that is gone and waits until nothing of them runs.
  Task<void> close(journal::TriggerId id);
  void push(journal::TriggerId id, journal::Sequence sequence);
  std::size_t waiting(journal::TriggerId id) const;

  // No attempt begins after this.
  Task<void> stop();

 private:
  struct Recording;
  struct Lanes {
    std::shared_ptr<Lane> deliveries;
    std::shared_ptr<Lane> sinks;
  };
  struct Attempt {
    bool delivered = false;
    bool retryable = true;
    int code = 0;  // 0: no answer came
    std::string reason;
    std::string body;
    std::string destination;
    std::optional<std::chrono::nanoseconds> retry_after;
  };
  using Again = std::optional<Lane::Again>;

  Status load(const Route& route, const Lanes& lanes);
  std::chrono::nanoseconds wait_of(const Route& route, const journal::Pending& pending) const;
  Task<Again> deliver(journal::TriggerId id, journal::Sequence sequence, int attempts);
  Task<Again> forward(journal::TriggerId id, std::int64_t dead_letter, int attempts);
  Task<Attempt> send(RoutePtr route, journal::EntryPtr entry);
  Task<Attempt> hand_over(Destination broker, event::CloudEvent event);
  Task<Attempt> take_reply(RoutePtr route, journal::EntryPtr entry, http::Response response,
                           Attempt attempt);
  Task<Again> settle_failure(RoutePtr route, journal::EntryPtr entry, journal::Sequence sequence,
                             int attempts, Attempt attempt);
  Task<Again> bury(RoutePtr route, journal::EntryPtr entry, journal::Outcome outcome);
  void record_in_background(journal::Outcome outcome);
  Task<Attempt> send_dead_letter(RoutePtr route, journal::DeadLetter letter,
                                 journal::EntryPtr entry);
  std::chrono::milliseconds timeout_of(const Route& route) const;

  async::Loop& loop_;
  const base::Clock& clock_;
  journal::Journal& journal_;
  const Catalog& catalog_;
  const Destinations& destinations_;
  const Dispatch& dispatch_;
  Publish publish_;
  EventingMetrics& metrics_;
  const Options& options_;
  std::map<journal::TriggerId, Lanes> lanes_;
  std::vector<Lanes> retired_;
  std::shared_ptr<Recording> recording_;
  bool stopping_ = false;
};

}  // namespace hearth::eventing
