// OpenAPI v3 documents, as far as clients use them: a group version with real schemas and patch
// operations. What openapi_v2.h makes of the same kinds is for older clients.
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

// Parts of a document.
Json group_version_kind(const resource::Definition& definition, const std::string& version);
std::string openapi_schema_name(const resource::Definition& definition, const std::string& version);
Json openapi_schema(const resource::Definition& definition, const std::string& version);
std::string openapi_path(const resource::Definition& definition, const std::string& version);

}  // namespace hearth::apiserver
