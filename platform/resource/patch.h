// The three patch formats of the Kubernetes API.
#pragma once

#include <string_view>

#include "platform/base/json.h"

namespace hearth::resource {

enum class PatchType { kJson, kMerge, kStrategic };

// RFC 6902. A failing operation is kInvalid (422), a malformed patch kBadRequest; kTooLarge for one
// that copies over limits::kApiBodyBytesMax in all.
Result<Json> json_patch(const Json& object, const Json& patch);
// RFC 7386.
Json merge_patch(Json object, const Json& patch);
// Kubernetes' strategic merge patch for built-in kinds: lists of objects merge by their key.
// Directives $patch (delete, replace), $retainKeys, $setElementOrder/…, $deleteFromPrimitiveList/….
Result<Json> strategic_merge_patch(const Json& object, const Json& patch);

Result<Json> apply_patch(PatchType type, const Json& object, const Json& patch);

}  // namespace hearth::resource
