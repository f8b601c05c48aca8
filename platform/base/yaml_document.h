// A YAML stream as the nodes that were written, each with its place: what JSON does not keep. The
// syntax is libyaml's, which Go's YAML library, and so kubectl, was translated from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/error.h"
#include "platform/base/yaml.h"

namespace hearth::base {

struct YamlNode {
  enum class Kind : std::uint8_t { kScalar, kSequence, kMapping };
  Kind kind = Kind::kScalar;
  bool plain = false;  // a scalar without quotes and tag: its text decides its type
  std::string text;    // of a scalar
  TextPosition at;
  // Indices of the items; of a mapping keys and values in turn. An alias is the index of what it
  // stands for, so that a node may be reached twice, but never from itself.
  std::vector<std::size_t> items;
};

struct YamlDocument {
  std::vector<YamlNode> nodes;  // the root is the first
  std::size_t aliases = 0;      // that were written
  const YamlNode& root() const { return nodes.front(); }
};

// All documents that are not empty. Bounded by the limits for size, depth, number of nodes and
// %TAG directives.
// Errors begin with where, as parse_yaml_documents() says.
Result<std::vector<YamlDocument>> parse_yaml_nodes(std::string_view text, std::string_view origin);

// "line 3, column 5" or "ORIGIN:3:5".
std::string place_text(TextPosition place, std::string_view origin);

}  // namespace hearth::base
