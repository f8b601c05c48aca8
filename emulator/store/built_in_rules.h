// Defaults and first states of built-in kinds, as far as clients rely on them (what an API server
// fills in, and what `kubectl rollout status` needs to end). Pure; run on the writer's thread.
#pragma once

#include "platform/resource/definition.h"

namespace hearth::store {

void set_built_in_rules(resource::DefinitionRegistry& definitions);

}  // namespace hearth::store
