// OpenAPI documents, as far as clients use them: v3 a group version with real schemas and patch
// operations; v2 is an empty document, which every kubectl takes for "no schema known".
#pragma once

#include <optional>
#include <string>

#include "platform/base/json.h"
#include "platform/resource/definition.h"

namespace hearth::apiserver {

// /openapi/v3: the list of documents with their hashes.
Json openapi_root(const resource::DefinitionRegistry& definitions);
// /openapi/v3/api/v1, /openapi/v3/apis/G/V
std::optional<Json> openapi_document(const resource::DefinitionRegistry& definitions,
                                     const std::string& group, const std::string& version);

}  // namespace hearth::apiserver
