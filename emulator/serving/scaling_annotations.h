// What Knative's webhook checks of the autoscaler's annotations. Pure.
// Rules: knative/serving 0.48, pkg/apis/autoscaling/annotation_validation.go, with the default
// config-autoscaler, and pkg/apis/serving/metadata_validation.go.
#pragma once

#include <string>

#include "emulator/serving/field_errors.h"

namespace hearth::serving {

// Of a revision's template. `path`: of the annotations.
void check_scaling_annotations(FieldErrors& errors, const Json& annotations,
                               const std::string& path);

// Beside a template they would be without effect. `old` (or null) is the object before: what it
// had already may stay.
void refuse_scaling_annotations(FieldErrors& errors, const Json& object, const Json* old);

}  // namespace hearth::serving
