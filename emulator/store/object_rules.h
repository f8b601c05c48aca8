// What a write does to an object, as pure functions: metadata, defaults, pruning, validation,
// generation, status separation.
#pragma once

#include <string_view>

#include "platform/base/clock.h"
#include "platform/resource/definition.h"
#include "platform/resource/store.h"

namespace hearth::store {

// `object` becomes what is stored first: uid, creationTimestamp, generation, defaults.
Status prepare_create(const resource::Definition& definition, Json& object,
                      const resource::WriteOptions& options, base::WallTime now);

// `object` (wanted) becomes what replaces `current`. kConflict when its resourceVersion is set and
// not the current one.
Status prepare_update(const resource::Definition& definition, const Json& current, Json& object,
                      const resource::WriteOptions& options);

// Sets deletionTimestamp (and finalizers that the propagation asks for).
void mark_deleted(Json& object, const resource::DeleteOptions& options, base::WallTime now);

// What is stored can be read again, also in a list: within limits::kObjectDepthMax.
Status check_depth(const Json& object);

Error not_found(const resource::Definition& definition, std::string_view name);
Error conflict(const resource::Definition& definition, std::string_view name);

}  // namespace hearth::store
