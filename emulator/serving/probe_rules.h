// What Knative's webhook checks of a container's probes. Pure.
// Rules: knative/serving 0.48, pkg/apis/serving/k8s_validation.go, after the defaults of
// v1/revision_defaults.go.
#pragma once

#include <string>
#include <string_view>

#include "emulator/serving/field_errors.h"

namespace hearth::serving {

// Of the container that gets the requests. `port_name`: its port's, the one name that its probes
// know.
void check_probes(FieldErrors& errors, const Json& container, const std::string& path,
                  std::string_view port_name);

// Of all other containers: they have none (multi-container-probing is off by default).
void refuse_probes(FieldErrors& errors, const Json& container, const std::string& path);

}  // namespace hearth::serving
