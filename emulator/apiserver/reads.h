// GET of an object and of a collection.
#pragma once

#include "emulator/apiserver/request.h"

namespace hearth::apiserver {

Task<void> get_object(Request& request);
// Answers pages of `limit`; a continue token keeps the version of the first page.
Task<void> list_objects(Request& request);

}  // namespace hearth::apiserver
