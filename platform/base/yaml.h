// YAML manifests as JSON, with the scalar rules of Go's sigs.k8s.io/yaml that kubectl uses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"

namespace hearth::base {

// All documents of a stream; empty documents are left out. One that begins with "{" may be JSON
// documents, as with kubectl. Errors begin with where: "line 3, column 5: …", or "ORIGIN:3:5: …"
// when the text has an origin, its file's name.
Result<std::vector<Json>> parse_yaml_documents(std::string_view text, std::string_view origin = {});
// Exactly one document.
Result<Json> parse_yaml(std::string_view text);
// A place in a text, from 1.
struct TextPosition {
  std::size_t line = 1;
  std::size_t column = 1;
};
// Where a field of a document stands: "spec.env[0].name", the document counted as
// parse_yaml_documents() counts. Of a path that leads nowhere the deepest part that is there.
// The text must have been parsed without error.
TextPosition position_of(std::string_view text, std::size_t document, std::string_view path);
// Block style, keys sorted, texts of lines as literal blocks: as `kubectl -o yaml` prints. What is
// written is read as the same value.
std::string dump_yaml(const Json& value);

}  // namespace hearth::base
