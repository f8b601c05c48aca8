// What a DELETE asks for, from its body (any version of DeleteOptions) and its query.
#pragma once

#include "emulator/apiserver/api_path.h"
#include "platform/resource/store.h"

namespace hearth::apiserver {

// The query wins over the body. kInvalid for an unknown propagation policy.
Result<resource::DeleteOptions> delete_options(const Json& body, const Query& query);

}  // namespace hearth::apiserver
