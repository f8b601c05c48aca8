// JSON as the nodes of a YAML stream. kubectl reads as JSON what begins with "{", and JSON is not
// quite a part of YAML: characters escaped as surrogate pairs, documents without "---" between them
// and keys of more than 1,024 characters are JSON only.
#pragma once

#include <string_view>
#include <vector>

#include "platform/base/yaml_document.h"

namespace hearth::base {

// All documents of `text`, one after another. Bounded as parse_yaml_nodes() is; kBadRequest begins
// with where. A surrogate without its other half is U+FFFD, as Go has it.
Result<std::vector<YamlDocument>> parse_json_nodes(std::string_view text, std::string_view origin);

}  // namespace hearth::base
