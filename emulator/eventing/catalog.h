// The triggers as the broker sees them: compiled, by broker, asked for every event.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "emulator/eventing/delivery_policy.h"
#include "emulator/journal/record.h"
#include "platform/event/filter.h"
#include "platform/resource/informer.h"

namespace hearth::eventing {

// A trigger, compiled. Immutable; a change of the Trigger or its Broker makes a new one.
struct Route {
  journal::TriggerId id = 0;
  journal::Trigger trigger;
  std::string broker;
  bool active = true;   // false: the spec can't be compiled, nothing is given to it
  std::string problem;  // why not
  event::Filter filter;
  DeliveryPolicy policy;
  Json subscriber;
  // The Trigger's own dead letter sink, else the Broker's; null when neither has one.
  Json dead_letter_sink;
  std::size_t parallelism = 10;
  // The function behind the subscriber: it never gets its own responses.
  std::string function;
};
using RoutePtr = std::shared_ptr<const Route>;

// From a Trigger and its Broker (null when it does not exist). A spec that can't be compiled makes
// a route that is not active.
Route compile_route(const Json& trigger, const Json* broker, std::size_t parallelism);

// True when `event` goes to the route.
bool wants(const Route& route, const event::CloudEvent& event);
// The same with the reason.
event::Verdict explain(const Route& route, const event::CloudEvent& event);

class Catalog {
 public:
  void put(RoutePtr route);
  // Null when there was none. `key` names the Trigger.
  RoutePtr remove(const resource::ObjectKey& key);
  RoutePtr find(const resource::ObjectKey& key) const;
  RoutePtr find(journal::TriggerId id) const;
  const std::vector<RoutePtr>& of_broker(const resource::ObjectKey& broker) const;
  std::vector<journal::TriggerId> matching(const resource::ObjectKey& broker,
                                           const event::CloudEvent& event) const;
  const std::map<resource::ObjectKey, RoutePtr>& all() const { return by_key_; }

 private:
  std::map<resource::ObjectKey, RoutePtr> by_key_;
  std::map<journal::TriggerId, RoutePtr> by_id_;
  std::map<resource::ObjectKey, std::vector<RoutePtr>> by_broker_;
};

}  // namespace hearth::eventing
