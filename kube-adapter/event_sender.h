// Sends lifecycle events to a broker's ingress: in order, a few times each, without holding up the
// controller that has them to tell.
//
// Lives on one loop. Bounded: while the broker is away the oldest events are dropped and counted.
#pragma once

#include <deque>
#include <string>

#include "platform/async/signal.h"
#include "platform/async/task.h"
#include "platform/event/cloud_event.h"
#include "platform/http/client.h"

namespace hearth::kube_adapter {

class EventSender {
 public:
  // `client` outlives the sender.
  EventSender(async::Loop& loop, http::Client& client, http::Url broker);

  void send(event::CloudEvent event);
  // Runs until it is cancelled; spawn it in the owner's task group.
  Task<void> run();

 private:
  Task<Status> deliver(event::CloudEvent event);

  http::Client& client_;
  http::Url broker_;
  std::deque<event::CloudEvent> waiting_;
  async::Signal arrived_;
};

}  // namespace hearth::kube_adapter
