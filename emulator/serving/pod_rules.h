// What Knative's webhook checks of a revision's pod. Pure.
// Rules: knative/serving 0.48, pkg/apis/serving/k8s_validation.go and fieldmask.go, with the
// default features, after the defaults of v1/revision_defaults.go.
#pragma once

#include <string>

#include "emulator/serving/field_errors.h"

namespace hearth::serving {

// `path`: of the pod.
void check_pod(FieldErrors& errors, const Json& pod, const std::string& path);

}  // namespace hearth::serving
