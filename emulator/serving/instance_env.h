// The environment that an instance starts with: the platform's, Knative's, and the revision's own,
// with what it names of Secrets and ConfigMaps as they are now.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "emulator/serving/revision_spec.h"
#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/resource/store.h"

namespace hearth::serving {

using Environment = std::vector<std::pair<std::string, std::string>>;

// Fails when something is missing that is not optional. `platform` comes first.
Task<Result<Environment>> instance_env(resource::Store& store, RevisionSpec spec,
                                       Environment platform);

}  // namespace hearth::serving
