// Knative Serving's controllers: Service → Configuration and Route → Revision → instances, and the
// gateway's route table. Names, labels and conditions are Knative's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "emulator/gateway/route_table.h"
#include "emulator/serving/scaler.h"
#include "platform/resource/store.h"

namespace hearth::serving {

struct ServingOptions {
  // How functions are reached from outside: "http://{name}.{namespace}.{domain}{port}".
  std::string domain = "localhost";
  std::uint16_t port = 80;
  resource::RecordEvent record;  // may be empty
};

class Serving {
 public:
  // References outlive it; all on the control loop. `publish` gets every new route table.
  Serving(async::Loop& loop, resource::Store& store, Scaler& scaler, const base::Clock& clock,
          ServingOptions options,
          std::function<void(std::shared_ptr<const gateway::RouteTable>)> publish);
  ~Serving();

  void start();
  Task<void> stop();
  // Publishes the route table at once if changes wait for the next one.
  void settle_routes();

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace hearth::serving
