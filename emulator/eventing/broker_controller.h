// Broker → status.address and conditions; the namespace label eventing.knative.dev/injection makes
// the Broker "default".
#pragma once

#include "emulator/eventing/destination.h"
#include "emulator/eventing/referrers.h"
#include "platform/base/clock.h"
#include "platform/resource/controller.h"

namespace hearth::eventing {

class BrokerController {
 public:
  BrokerController(async::Loop& loop, resource::Store& store, const base::Clock& clock,
                   resource::Informer& brokers, resource::Informer& namespaces,
                   const Destinations& destinations);
  void start();
  Task<void> stop();
  // An object that may be addressed came, changed or went.
  void recheck(const resource::ObjectKey& addressed, bool deleted);

 private:
  Task<Result<resource::Requeue>> reconcile(resource::ObjectKey key);
  Task<Result<resource::Requeue>> inject(resource::ObjectKey key);
  void set_dead_letter_sink(Json& broker);

  resource::Store& store_;
  const base::Clock& clock_;
  resource::Informer& brokers_;
  resource::Informer& namespaces_;
  const Destinations& destinations_;
  Referrers referrers_;
  resource::Controller controller_;
  resource::Controller injector_;
};

}  // namespace hearth::eventing
