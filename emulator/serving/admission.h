// What the API checks when Knative Services, Configurations, Routes and Revisions are written, as
// Knative's webhook does with its default features. For DefinitionRegistry::set_admission; pure,
// run on the writer's thread. kInvalid names every field, in Knative's words. A write that leaves
// the spec as it was passes: status, finalizers and labels of what was stored under older rules can
// change. Rules: the field masks and validation of knative/serving, pkg/apis/serving.
#pragma once

#include "platform/base/json.h"

namespace hearth::serving {

Status admit_service(const Json& object, const Json* old);
Status admit_configuration(const Json& object, const Json* old);
Status admit_route(const Json& object, const Json* old);
// Its spec stays as it was made.
Status admit_revision(const Json& object, const Json* old);

}  // namespace hearth::serving
