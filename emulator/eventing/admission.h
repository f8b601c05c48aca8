// What the API checks and fills in when Brokers and Triggers are written: defaults, what may not
// change, filters and delivery. For DefinitionRegistry::set_admission; pure, run on the writer's
// thread. kInvalid names every field.
#pragma once

#include "platform/base/json.h"

namespace hearth::eventing {

Status admit_broker(Json& object, const Json* old);
Status admit_trigger(Json& object, const Json* old);

}  // namespace hearth::eventing
