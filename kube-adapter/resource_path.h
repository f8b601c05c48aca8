// Paths and queries of the Kubernetes API.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/resource/object.h"

namespace hearth::kube_adapter {

// "/api/v1/namespaces/{ns}/configmaps", "/apis/batch/v1/jobs" (an empty `ns`: all of them).
std::string collection_path(const resource::Type& type, const std::string& ns);
std::string object_path(const resource::Type& type, const resource::ObjectKey& key);

// "?a=1&b=x%20y"; pairs with an empty value are left out. Empty when nothing is left.
std::string query_text(const std::vector<std::pair<std::string_view, std::string>>& parameters);

}  // namespace hearth::kube_adapter
