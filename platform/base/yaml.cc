#include "platform/base/yaml.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/base/yaml_document.h"
#include "platform/base/yaml_scalar.h"

namespace hearth::base {
namespace {

using Kind = YamlNode::Kind;

bool is_null(const YamlNode& node) {
  return node.kind == Kind::kScalar && node.plain && plain_scalar(node.text).is_null();
}

// YAML 1.1 merge keys: what stands beside "<<" wins over what it brings.
bool is_merge(const YamlNode& key) { return key.plain && key.text == "<<"; }

// Makes JSON of the documents of one text, one after another.
class Converter {
 public:
  explicit Converter(std::string_view origin) : origin_(origin) {}

  // Aliases are expanded: the counts bound "billion laughs", the depth bounds recursion.
  Result<Json> convert(const YamlDocument& document) {
    document_ = &document;
    const std::size_t written = document.nodes.size() + document.aliases;
    document_nodes_max_ =
        std::max(limits::kYamlFewNodes, written * limits::kYamlNodesPerWrittenNodeMax);
    document_nodes_ = 0;
    return convert(document.root(), 0);
  }

 private:
  Result<Json> convert(const YamlNode& node, std::size_t depth) {
    HEARTH_CHECK_OK(count_node(depth));
    switch (node.kind) {
      case Kind::kScalar:
        return scalar(node);
      case Kind::kSequence:
        return sequence(node, depth);
      case Kind::kMapping: {
        Json out = Json::object();
        HEARTH_CHECK_OK(fill(out, node, depth));
        return out;
      }
    }
    std::unreachable();
  }

  const YamlNode& item(const YamlNode& node, std::size_t index) const {
    return document_->nodes[node.items[index]];
  }

  Result<Json> scalar(const YamlNode& node) {
    HEARTH_CHECK_OK(count_text(node));
    return node.plain ? plain_scalar(node.text) : Json(node.text);
  }

  Result<Json> sequence(const YamlNode& node, std::size_t depth) {
    Json out = Json::array();
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      HEARTH_TRY(value, convert(item(node, i), depth + 1));
      out.push_back(std::move(value));
    }
    return out;
  }

  // Adds what `out` does not have yet: when a merge key brings the mapping, what is there wins.
  Status fill(Json& out, const YamlNode& node, std::size_t depth) {
    const bool alone = out.empty();
    // Of `node`, when `out` has those of others too. Ordered: the keys that collide in a hash are
    // known, and a text could consist of them.
    std::set<std::string_view> keys;
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      const YamlNode& key = item(node, i);
      if (is_merge(key)) continue;
      if (key.kind != Kind::kScalar || is_null(key)) {
        return refuse(key, "a mapping key must be a scalar");
      }
      HEARTH_CHECK_OK(count_text(key));
      const bool there = out.contains(key.text);
      if (alone ? there : !keys.insert(key.text).second) {
        return refuse(key, fmt::format("key \"{}\" already set in map", key.text));
      }
      if (there) {
        HEARTH_CHECK_OK(count_node(depth + 1));
        continue;
      }
      HEARTH_TRY(value, convert(item(node, i + 1), depth + 1));
      out.emplace(key.text, std::move(value));
    }
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      if (is_merge(item(node, i))) HEARTH_CHECK_OK(merge(out, item(node, i + 1), depth + 1));
    }
    return {};
  }

  // One mapping, or a list of them of which the earlier win. Right into `out`: a chain of merges
  // that copied from link to link would do more work than the nodes that are counted.
  Status merge(Json& out, const YamlNode& from, std::size_t depth) {
    HEARTH_CHECK_OK(count_node(depth));
    if (from.kind == Kind::kMapping) return fill(out, from, depth);
    if (from.kind != Kind::kSequence) {
      return refuse(from, "map merge requires map or sequence of maps as the value");
    }
    for (std::size_t i = 0; i < from.items.size(); ++i) {
      const YamlNode& one = item(from, i);
      if (one.kind != Kind::kMapping) return refuse(one, "map merge requires maps as values");
      HEARTH_CHECK_OK(merge(out, one, depth + 1));
    }
    return {};
  }

  Status count_node(std::size_t depth) {
    if (depth > limits::kJsonDepthMax) return fail(Code::kBadRequest, "YAML is nested too deeply");
    if (++nodes_ > limits::kYamlNodesMax) {
      return fail(Code::kTooLarge, "YAML text has too many nodes");
    }
    if (++document_nodes_ <= document_nodes_max_) return {};
    return fail(Code::kTooLarge, fmt::format("{}: YAML document contains excessive aliasing",
                                             place_text(document_->root().at, origin_)));
  }

  // Aliases repeat texts as well as nodes: a long one has few nodes and many bytes.
  Status count_text(const YamlNode& node) {
    bytes_ += node.text.size();
    if (bytes_ <= 2 * limits::kYamlBytesMax) return {};
    return fail(Code::kTooLarge, "YAML text is too long once its aliases are expanded");
  }

  std::unexpected<Error> refuse(const YamlNode& node, std::string_view why) const {
    return fail(Code::kBadRequest, fmt::format("{}: {}", place_text(node.at, origin_), why));
  }

  std::string_view origin_;
  const YamlDocument* document_ = nullptr;  // that is being converted
  std::size_t document_nodes_ = 0;
  std::size_t document_nodes_max_ = 0;
  std::size_t nodes_ = 0;  // of all documents
  std::size_t bytes_ = 0;  // of all texts
};

// One step of a path: a key, or the index of "[2]".
struct Step {
  std::string key;
  std::optional<std::size_t> index;
};

// "spec.env[0].name"; keys with dots stand in brackets: metadata.labels[a.b/c].
std::vector<Step> steps_of(std::string_view path) {
  std::vector<Step> out;
  while (!path.empty()) {
    if (path.front() == '[') {
      const auto end = std::min(path.find(']'), path.size());
      const std::string_view inner = path.substr(1, end - 1);
      out.push_back({std::string(inner), parse_int<std::size_t>(inner)});
      path.remove_prefix(std::min(end + 1, path.size()));
    } else {
      const auto end = std::min(path.find_first_of(".["), path.size());
      if (end > 0) out.push_back({std::string(path.substr(0, end)), std::nullopt});
      path.remove_prefix(end < path.size() && path[end] == '.' ? end + 1 : end);
    }
  }
  return out;
}

struct Child {
  const YamlNode* node;
  TextPosition at;  // of its key, or of the item of a list
};

std::optional<Child> child_of(const YamlDocument& document, const YamlNode& node,
                              const Step& step) {
  if (node.kind == Kind::kSequence && step.index && *step.index < node.items.size()) {
    const YamlNode& item = document.nodes[node.items[*step.index]];
    return Child{&item, item.at};
  }
  if (node.kind != Kind::kMapping) return std::nullopt;
  for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
    const YamlNode& key = document.nodes[node.items[i]];
    if (key.kind == Kind::kScalar && key.text == step.key) {
      return Child{&document.nodes[node.items[i + 1]], key.at};
    }
  }
  return std::nullopt;
}

TextPosition position_in(const YamlDocument& document, std::string_view path) {
  const YamlNode* node = &document.root();
  TextPosition at = node->at;
  for (const Step& step : steps_of(path)) {
    const auto child = child_of(document, *node, step);
    if (!child) break;
    node = child->node;
    at = child->at;
  }
  return at;
}

}  // namespace

Result<std::vector<Json>> parse_yaml_documents(std::string_view text, std::string_view origin) {
  HEARTH_TRY(documents, parse_yaml_nodes(text, origin));
  std::vector<Json> out;
  Converter converter(origin);
  for (const YamlDocument& document : documents) {
    HEARTH_TRY(value, converter.convert(document));
    if (!value.is_null()) out.push_back(std::move(value));
  }
  return out;
}

TextPosition position_of(std::string_view text, std::size_t document, std::string_view path) {
  const auto documents = parse_yaml_nodes(text, {});
  // Not as it was parsed before: its beginning is as good an answer as any.
  if (!documents) return {};
  for (const YamlDocument& candidate : *documents) {
    if (is_null(candidate.root())) continue;
    if (document-- == 0) return position_in(candidate, path);
  }
  return {};
}

Result<Json> parse_yaml(std::string_view text) {
  HEARTH_TRY(documents, parse_yaml_nodes(text, {}));
  std::erase_if(documents, [](const auto& document) { return is_null(document.root()); });
  if (documents.size() > 1) {
    const TextPosition second = documents[1].root().at;
    return fail(Code::kBadRequest,
                fmt::format("{}: expected one YAML document", place_text(second, {})));
  }
  if (documents.empty()) return Json(nullptr);
  return Converter({}).convert(documents.front());
}

}  // namespace hearth::base
