// YAML manifests as JSON, with the scalar rules of Go's sigs.k8s.io/yaml that kubectl uses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"

namespace hearth::base {

// All documents of a stream; empty documents are left out. Errors name line and column.
Result<std::vector<Json>> parse_yaml_documents(std::string_view text);
// Exactly one document.
Result<Json> parse_yaml(std::string_view text);
// Block style, keys sorted, multi-line strings as literal blocks: as `kubectl -o yaml` prints.
std::string dump_yaml(const Json& value);

}  // namespace hearth::base
