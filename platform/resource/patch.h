// The patch formats of the Kubernetes API; server-side apply has a header of its own.
#pragma once

#include <string_view>

#include "platform/base/json.h"

namespace hearth::resource {

// kApply: server-side apply (server_side_apply.h).
enum class PatchType { kJson, kMerge, kStrategic, kApply };

// RFC 6902. A failing operation is kInvalid (422), a malformed patch kBadRequest; kTooLarge for one
// that copies over limits::kApiBodyBytesMax in all, or shifts over 10 million items of arrays.
Result<Json> json_patch(const Json& object, const Json& patch);
// RFC 7386.
Json merge_patch(Json object, const Json& patch);
// Kubernetes' strategic merge patch for built-in kinds: lists of objects merge by their key.
// Directives $patch (delete, replace), $retainKeys, $setElementOrder/…, $deleteFromPrimitiveList/….
Result<Json> strategic_merge_patch(const Json& object, const Json& patch);

// kInternal for kApply, which needs more than the object.
Result<Json> apply_patch(PatchType type, const Json& object, const Json& patch);

}  // namespace hearth::resource
