// POST, PUT, PATCH and DELETE of resources.
#pragma once

#include "emulator/apiserver/request.h"

namespace hearth::apiserver {

Task<void> create_object(Request& request);
Task<void> update_object(Request& request);
// JSON, merge and strategic merge patches, and server-side apply.
Task<void> patch_object(Request& request);
Task<void> delete_object(Request& request);
Task<void> delete_collection(Request& request);

}  // namespace hearth::apiserver
