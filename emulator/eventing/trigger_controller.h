// Trigger → a compiled route with its lanes, status.subscriberUri and conditions. A Trigger that
// goes takes its waiting deliveries with it.
#pragma once

#include <string>

#include "emulator/eventing/catalog.h"
#include "emulator/eventing/deliverer.h"
#include "emulator/eventing/destination.h"
#include "emulator/eventing/referrers.h"
#include "emulator/journal/journal.h"
#include "platform/resource/condition.h"
#include "platform/resource/controller.h"

namespace hearth::eventing {

class TriggerController {
 public:
  TriggerController(async::Loop& loop, resource::Store& store, const base::Clock& clock,
                    journal::Journal& journal, resource::Informer& triggers,
                    resource::Informer& brokers, const Destinations& destinations, Catalog& catalog,
                    Deliverer& deliverer, const Options& options);

  // Compiles all triggers that are there and ends the deliveries of those that went while nobody
  // looked. Before start(), with the informers in sync.
  Task<Status> load();
  void start();
  Task<void> stop();
  // An object that may be addressed came, changed or went.
  void recheck(const resource::ObjectKey& addressed, bool deleted);

 private:
  struct Dependency {
    resource::Condition condition;
    resource::Requeue again;
  };
  Task<Result<resource::Requeue>> reconcile(resource::ObjectKey key);
  Task<Result<RoutePtr>> put(resource::ObjectPtr trigger);
  Task<Status> remove(resource::ObjectKey key);
  Task<Dependency> check_dependency(resource::ObjectPtr trigger);
  void set_conditions(Json& trigger, const Route& route);
  void set_dead_letter_sink(Json& trigger, const Route& route);
  void set(Json& trigger, const char* type, bool holds, const char* reason = "",
           std::string message = {});

  resource::Store& store_;
  const base::Clock& clock_;
  journal::Journal& journal_;
  resource::Informer& triggers_;
  resource::Informer& brokers_;
  const Destinations& destinations_;
  Catalog& catalog_;
  Deliverer& deliverer_;
  const Options& options_;
  Referrers referrers_;
  resource::Controller controller_;
};

}  // namespace hearth::eventing
