// What the decoder of an API server says of an object before anything else does: fields that its
// kind doesn't have, values of the wrong type. From the same tables as the protobuf form; custom
// kinds, which have schemas of their own, are checked in their metadata only.
#pragma once

#include <string>
#include <vector>

#include "platform/base/json.h"
#include "platform/base/result.h"
#include "platform/resource/object.h"

namespace hearth::apiserver {

// Removes unknown fields and appends their paths ("spec.tmplate"). kBadRequest names the first
// value of a wrong type; the object may be half pruned then. Pure.
Status check_fields(const resource::Type& type, Json& object, std::vector<std::string>& unknown);

}  // namespace hearth::apiserver
