// Makes the number of instances what it should be: asks the deciders, starts and stops instances,
// mirrors them as Pods, tells the gateway. One owner of "which instances does a revision have".
//
// Lives on the control loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "emulator/gateway/route_table.h"
#include "emulator/runtime/runtime.h"
#include "emulator/serving/revision_spec.h"
#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/resource/event_recorder.h"
#include "platform/resource/store.h"

namespace hearth::async {
class Loop;
}

namespace hearth::serving {

// What the revision controller shows of a revision's instances.
struct RevisionHealth {
  enum class State { kUnknown, kStarting, kReady, kFailed };
  State state = State::kUnknown;
  bool was_ready = false;    // some instance was ready since the revision was made
  std::string reason;        // kFailed: "ImportError", "ExitCode1", …
  std::string message;       // traceback or log tail
  std::string image_digest;  // what all its instances start from; empty: not there yet
  std::int64_t desired = 0;
  std::int64_t ready = 0;
};

struct ScalerOptions {
  // Environment that every instance of a namespace gets (endpoints of the platform).
  std::function<std::vector<std::pair<std::string, std::string>>(const RevisionSpec&)> platform_env;
  resource::RecordEvent record;  // may be empty
  std::chrono::seconds scale_to_zero_grace{30};
  std::chrono::milliseconds drain_grace{10'000};
};

class Scaler {
 public:
  using HealthHandler = std::function<void(const std::string& ns, const std::string& name)>;

  Scaler(async::Loop& loop, runtime::Runtime& runtime, resource::Store& store,
         const base::Clock& clock, ScalerOptions options);
  ~Scaler();

  void on_health_change(HealthHandler handler);
  // A revision's instances changed: the key "ns/name".
  void on_instances_change(std::function<void(const std::string&)> handler);

  // Adds or updates; a new revision that was never ready starts its initial instances.
  // `known_good`: it was Ready before a restart of the daemon, and may rest at zero.
  gateway::RevisionPtr put(const RevisionSpec& spec, bool known_good);
  void remove(const std::string& key);
  // Routed revisions keep their min-scale; others go to zero.
  void set_reachable(const std::string& key, bool reachable);
  // A request waits.
  void activate(const std::string& key);
  // Ends the instances of a service's revisions that have nothing to do, without waiting for the
  // window of silence; returns how many. min-scale brings its own back.
  std::size_t scale_to_zero(const std::string& ns, const std::string& service);
  // An instance hung or broke: it is ended, the revision gets another when it needs one.
  // `trace_id` (may be empty): of the request that saw it.
  void replace(const std::string& instance_id, const std::string& reason,
               std::string_view trace_id);

  RevisionHealth health(const std::string& key) const;
  gateway::RevisionPtr revision(const std::string& key) const;

  void start();
  Task<void> stop();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hearth::serving
