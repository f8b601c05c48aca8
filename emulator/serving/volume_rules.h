// What Knative's webhook checks of a revision's volumes and of where its containers mount them.
// Pure.
// Rules: knative/serving 0.48, pkg/apis/serving/k8s_validation.go, with the default features.
#pragma once

#include <string>

#include "emulator/serving/field_errors.h"

namespace hearth::serving {

void check_volumes(FieldErrors& errors, const Json& pod, const std::string& path);

}  // namespace hearth::serving
