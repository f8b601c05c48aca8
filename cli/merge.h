// What `apply` sends: the three-way merge of kubectl, with its annotation, so that both tools may
// take turns on one object.
#pragma once

#include <string>

#include "platform/base/json.h"

namespace hearth::cli {

inline constexpr const char* kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

// `manifest` with itself written into the annotation; long texts are left out there when it would
// be longer than Kubernetes takes (functions with much inline code).
Json with_last_applied(Json manifest);

// `live` after: fields of the last applied manifest that `manifest` no longer has are removed,
// fields of `manifest` are set, everything else stays. Lists are replaced whole.
Json merge_applied(const Json& live, const Json& manifest);

}  // namespace hearth::cli
