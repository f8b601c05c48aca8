// The x-amz-copy-source header.
#pragma once

#include <string>
#include <string_view>

#include "platform/base/result.h"

namespace hearth::objectstore {

struct CopySource {
  std::string bucket;
  std::string key;
};
// "[/]bucket/key[?versionId=null]", percent-encoded. InvalidArgument.
Result<CopySource> parse_copy_source(std::string_view header);

}  // namespace hearth::objectstore
