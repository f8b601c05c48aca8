// OpenAPI v2 in protobuf, which kubectl before 1.27 reads: custom kinds with their schemas, for
// `explain` and the check before `apply`; of every kind the patch operation, for dry runs.
//
// Built-in kinds have no schema here: these kubectls would compute strategic patches from it and
// take a list without a merge key for one that is replaced as a whole.
#pragma once

#include <string>

#include "platform/resource/definition.h"

namespace hearth::apiserver {

std::string openapi_v2_document(const resource::DefinitionRegistry& definitions);

}  // namespace hearth::apiserver
