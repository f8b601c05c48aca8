// How long and how deep a path in an archive, a build context or a layer may be.
#pragma once

#include <string_view>

#include "platform/base/result.h"

namespace hearth::oci {

// kTooLarge over limits::kPathBytesMax or kPathDepthMax, with the path's beginning.
Status check_path(std::string_view path);

}  // namespace hearth::oci
