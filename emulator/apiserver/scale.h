// The scale subresource (autoscaling/v1 Scale): reads and writes the number of replicas of any kind
// whose definition says where it stands. `kubectl scale` uses it.
#pragma once

#include "emulator/apiserver/request.h"

namespace hearth::apiserver {

Task<void> scale_request(Request& request);

}  // namespace hearth::apiserver
