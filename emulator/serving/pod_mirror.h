// One Pod object for every instance, so that kubectl get pods, describe and logs show what runs.
#pragma once

#include <cstdint>
#include <string>

#include "emulator/serving/revision_spec.h"
#include "platform/base/clock.h"
#include "platform/base/json.h"

namespace hearth::serving {

// Name of the Pod is the instance's id.
Json pod_object(const RevisionSpec& spec, const Json& revision_owner,
                const std::string& instance_id);
// Of an instance that runs; one that is not ready yet is being started.
Json pod_status(const RevisionSpec& spec, bool ready, base::WallTime started, base::WallTime now,
                std::int64_t restarts);

}  // namespace hearth::serving
