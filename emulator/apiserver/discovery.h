// Discovery documents: legacy and aggregated.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "platform/base/json.h"
#include "platform/resource/definition.h"

namespace hearth::apiserver {

struct Document {
  std::string content_type = "application/json";
  std::string body;
};

Json version_document();
// /api and /apis, in the form that the Accept header asks for.
Document core_versions(const resource::DefinitionRegistry& definitions, std::string_view accept,
                       const std::string& server_address);
Document groups(const resource::DefinitionRegistry& definitions, std::string_view accept);
// /apis/G; nullopt for an unknown group.
std::optional<Json> group_document(const resource::DefinitionRegistry& definitions,
                                   const std::string& group);
// /api/v1, /apis/G/V
std::optional<Json> resource_list(const resource::DefinitionRegistry& definitions,
                                  const std::string& group, const std::string& version);

}  // namespace hearth::apiserver
