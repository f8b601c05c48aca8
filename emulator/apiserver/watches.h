// GET …?watch: a stream of one JSON event a line. Lasts until the client goes, its time is up or
// the version it asked for is history.
#pragma once

#include "emulator/apiserver/request.h"

namespace hearth::apiserver {

Task<void> watch_objects(Request& request);

}  // namespace hearth::apiserver
