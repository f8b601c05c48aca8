// meta.k8s.io/v1 Tables: what `kubectl get` prints.
#pragma once

#include <vector>

#include "platform/base/clock.h"
#include "platform/base/json.h"
#include "platform/resource/definition.h"

namespace hearth::apiserver {

enum class IncludeObject { kNone, kMetadata, kObject };

Json table_columns(const resource::Definition& definition);
Json table_row(const resource::Definition& definition, const resource::ObjectPtr& object,
               IncludeObject include, base::WallTime now);
Json table_of(const resource::Definition& definition,
              const std::vector<resource::ObjectPtr>& objects, IncludeObject include,
              base::WallTime now);

}  // namespace hearth::apiserver
