// One Pod object for every instance, so that kubectl get pods, describe and logs show what runs.
#pragma once

#include <cstdint>
#include <string>

#include "emulator/serving/crash.h"
#include "emulator/serving/revision_spec.h"
#include "platform/base/clock.h"
#include "platform/base/json.h"

namespace hearth::serving {

// Name of the Pod is the instance's id.
Json pod_object(const RevisionSpec& spec, const std::string& instance_id);
struct PodState {
  bool ready = false;  // no: it is being started
  base::WallTime started{};
  base::WallTime now{};
  std::int64_t restarts = 0;
  const Crash* last_crash = nullptr;  // of the instance before
};
Json pod_status(const RevisionSpec& spec, const PodState& state);
// Of an instance that crashed.
Json ended_pod_status(const RevisionSpec& spec, const Crash& crash, std::int64_t restarts);

// The instance whose log answers for the Pod: its own, or with `kubectl logs --previous` that of
// the one that crashed before.
std::string logged_instance(const Json& pod, bool previous);

}  // namespace hearth::serving
