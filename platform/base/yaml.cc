#include "platform/base/yaml.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <sstream>

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include "platform/base/limits.h"
#include "platform/base/text.h"

namespace hearth::base {
namespace {

// yaml-cpp takes bytes of no encoding as they come, and loops for ever on some: it gets none.
Status check_characters(std::string_view text) {
  std::size_t number = 1;
  for (const std::string_view line : split(text, '\n')) {
    if (!is_valid_utf8(line)) {
      return fail(Code::kBadRequest, fmt::format("line {}: the text is not UTF-8", number));
    }
    // YAML 1.2 §5.1: of the control characters only these may stand in a text.
    const auto is_control = [](char c) {
      return (c >= 0 && c < 0x20 && c != '\t' && c != '\r') || c == 0x7f;
    };
    if (std::ranges::any_of(line, is_control)) {
      return fail(Code::kBadRequest, fmt::format("line {}: a control character", number));
    }
    ++number;
  }
  return {};
}

constexpr std::size_t kDocumentsMax = 10'000;

class Ignore final : public YAML::EventHandler {
  using Mark = YAML::Mark;
  using Anchor = YAML::anchor_t;
  using Style = YAML::EmitterStyle::value;
  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, Anchor) override {}
  void OnAlias(const Mark&, Anchor) override {}
  void OnScalar(const Mark&, const std::string&, Anchor, const std::string&) override {}
  void OnSequenceStart(const Mark&, const std::string&, Anchor, Style) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const std::string&, Anchor, Style) override {}
  void OnMapEnd() override {}
};

// yaml-cpp 0.7 finds documents without end in some texts that are none (", a"): LoadAll would fill
// the memory. Throws as it does.
Status check_documents(const std::string& text) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  Ignore ignore;
  for (std::size_t count = 0; parser.HandleNextDocument(ignore); ++count) {
    if (count == kDocumentsMax) {
      return fail(Code::kBadRequest, "no YAML, or more than 10000 documents in one text");
    }
  }
  return {};
}

std::string place(const YAML::Mark& mark, std::string_view origin) {
  return origin.empty() ? fmt::format("line {}, column {}", mark.line + 1, mark.column + 1)
                        : fmt::format("{}:{}:{}", origin, mark.line + 1, mark.column + 1);
}

class Converter {
 public:
  explicit Converter(std::string_view origin) : origin_(origin) {}

  Result<Json> convert(const YAML::Node& node, std::size_t depth = 0) {
    // Aliases are expanded: the count bounds "billion laughs", the depth bounds recursion.
    if (depth > limits::kJsonDepthMax) return fail(Code::kBadRequest, "YAML is nested too deeply");
    if (++nodes_ > limits::kYamlAliasNodesMax * 10) {
      return fail(Code::kTooLarge, "YAML document has too many nodes");
    }
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        return scalar(node);
      case YAML::NodeType::Sequence:
        return sequence(node, depth);
      case YAML::NodeType::Map:
        return map(node, depth);
      default:
        return Json(nullptr);
    }
  }

 private:
  Result<Json> sequence(const YAML::Node& node, std::size_t depth) {
    Json out = Json::array();
    for (const auto& item : node) {
      HEARTH_TRY(value, convert(item, depth + 1));
      out.push_back(std::move(value));
    }
    return out;
  }

  Result<Json> map(const YAML::Node& node, std::size_t depth) {
    Json out = Json::object();
    for (const auto& item : node) {
      if (!item.first.IsScalar()) {
        return fail(Code::kBadRequest,
                    place(item.first.Mark(), origin_) + ": a mapping key must be a scalar");
      }
      HEARTH_TRY(key, text_of(item.first));
      if (out.contains(key)) {
        return fail(Code::kBadRequest, fmt::format("{}: key \"{}\" already set in map",
                                                   place(item.first.Mark(), origin_), key));
      }
      HEARTH_TRY(value, convert(item.second, depth + 1));
      out[key] = std::move(value);
    }
    return out;
  }

  // Aliases repeat texts as well as nodes: a long one has few nodes and many bytes.
  Result<std::string> text_of(const YAML::Node& node) {
    const std::string& text = node.Scalar();
    bytes_ += text.size();
    if (bytes_ > 2 * limits::kYamlBytesMax) {
      return fail(Code::kTooLarge, "YAML document has too much text");
    }
    if (!is_valid_utf8(text)) {
      return fail(Code::kBadRequest, place(node.Mark(), origin_) + ": the text is not UTF-8");
    }
    return text;
  }

  Result<Json> scalar(const YAML::Node& node) {
    HEARTH_TRY(text, text_of(node));
    const std::string& tag = node.Tag();
    // "!" marks a quoted scalar.
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return text;
    if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") {
      return nullptr;
    }
    if (const auto boolean = parse_bool(text)) return *boolean;
    if (auto number = parse_number(text); !number.is_null()) return number;
    return text;
  }

  // sigs.k8s.io/yaml follows YAML 1.1 for booleans.
  static std::optional<bool> parse_bool(std::string_view text) {
    for (const std::string_view word :
         {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"}) {
      if (text == word) return true;
    }
    for (const std::string_view word :
         {"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"}) {
      if (text == word) return false;
    }
    return std::nullopt;
  }

  static Json parse_number(const std::string& text) {
    std::string_view body = text;
    const bool negative = body.starts_with('-');
    if (negative || body.starts_with('+')) body.remove_prefix(1);
    if (body.empty()) return nullptr;
    int base = 10;
    std::string_view digits = body;
    if (body.starts_with("0x"))
      base = 16, digits.remove_prefix(2);
    else if (body.starts_with("0o"))
      base = 8, digits.remove_prefix(2);
    else if (body.starts_with("0b"))
      base = 2, digits.remove_prefix(2);
    else if (body.size() > 1 && body.starts_with('0') && !body.contains('.'))
      base = 8;
    if (const auto value = parse_int<std::int64_t>(digits, base);
        value && !digits.starts_with('-')) {
      return negative ? -*value : *value;
    }
    if (body.find_first_not_of("0123456789.eE+-") != std::string_view::npos) return nullptr;
    if (body.front() != '.' && (body.front() < '0' || body.front() > '9')) return nullptr;
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (end != text.c_str() + text.size() || !std::isfinite(value)) return nullptr;
    return value;
  }

  std::string_view origin_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;  // of all texts
};

Error yaml_error(const YAML::Exception& e, std::string_view origin) {
  const std::string where = place(e.mark, origin);
  return Error{Code::kBadRequest,
               origin.empty() ? fmt::format("invalid YAML: {}: {}", where, e.msg)
                              : fmt::format("{}: invalid YAML: {}", where, e.msg),
               {}};
}

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

// The child of a step and where it begins: at its key, or at the item of a list.
std::optional<std::pair<YAML::Node, YAML::Mark>> child_of(const YAML::Node& node,
                                                          const Step& step) {
  if (node.IsSequence() && step.index && *step.index < node.size()) {
    const YAML::Node item = node[*step.index];
    return std::pair(item, item.Mark());
  }
  if (!node.IsMap()) return std::nullopt;
  for (const auto& entry : node) {
    if (entry.first.IsScalar() && entry.first.Scalar() == step.key) {
      return std::pair(YAML::Node(entry.second), entry.first.Mark());
    }
  }
  return std::nullopt;
}

TextPosition position_in(YAML::Node node, std::string_view path) {
  YAML::Mark mark = node.Mark();
  for (const Step& step : steps_of(path)) {
    const auto child = child_of(node, step);
    if (!child) break;
    node.reset(child->first);
    mark = child->second;
  }
  return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

// A literal block of this emitter gives back what ends with one line feed and begins with a letter.
bool fits_literal(std::string_view text) {
  if (text.size() < 2 || !text.ends_with('\n')) return false;
  const auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\n'; };
  const auto is_control = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
  };
  return !is_blank(text.front()) && !is_blank(text[text.size() - 2]) &&
         std::ranges::none_of(text, is_control);
}

// Plain when it is read as the same text, not as a number, null or a comment.
void emit_text(YAML::Emitter& out, const std::string& text) {
  if (!text.empty() && !text.contains('\n')) {
    const auto again = parse_yaml(text);
    if (again && *again == Json(text)) {
      out << text;
      return;
    }
  }
  out << YAML::DoubleQuoted << text;
}

void emit(YAML::Emitter& out, const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      if (value.empty()) out << YAML::Flow;
      out << YAML::BeginMap;
      for (const auto& [key, item] : value.items()) {
        out << YAML::Key;
        emit_text(out, key);
        out << YAML::Value;
        emit(out, item);
      }
      out << YAML::EndMap;
      return;
    case Json::value_t::array:
      if (value.empty()) out << YAML::Flow;
      out << YAML::BeginSeq;
      for (const Json& item : value) emit(out, item);
      out << YAML::EndSeq;
      return;
    case Json::value_t::string: {
      const auto& text = value.get_ref<const std::string&>();
      if (fits_literal(text))
        out << YAML::Literal << text;
      else
        emit_text(out, text);
      return;
    }
    case Json::value_t::null:
      out << YAML::Null;
      return;
    default:
      out << value.dump();
      return;
  }
}

}  // namespace

Result<std::vector<Json>> parse_yaml_documents(std::string_view text, std::string_view origin) {
  if (text.size() > limits::kYamlBytesMax) {
    return fail(Code::kTooLarge,
                fmt::format("{}{}YAML of {} bytes is over the limit of {}", origin,
                            origin.empty() ? "" : ": ", text.size(), limits::kYamlBytesMax));
  }
  HEARTH_CHECK_OK(check_characters(text));
  try {
    const std::string whole(text);
    HEARTH_CHECK_OK(check_documents(whole));
    std::vector<Json> out;
    for (const YAML::Node& node : YAML::LoadAll(whole)) {
      HEARTH_TRY(value, Converter(origin).convert(node));
      if (!value.is_null()) out.push_back(std::move(value));
    }
    return out;
  } catch (const YAML::Exception& e) {
    return fail(yaml_error(e, origin));
  }
}

TextPosition position_of(std::string_view text, std::size_t document, std::string_view path) {
  try {
    for (const YAML::Node& node : YAML::LoadAll(std::string(text))) {
      if (!node.IsNull() && node.IsDefined() && document-- == 0) return position_in(node, path);
    }
  } catch (const YAML::Exception&) {
    // Not as it was parsed before: its beginning is as good an answer as any.
  }
  return {};
}

Result<Json> parse_yaml(std::string_view text) {
  HEARTH_TRY(documents, parse_yaml_documents(text));
  if (documents.size() > 1) return fail(Code::kBadRequest, "expected one YAML document");
  return documents.empty() ? Json(nullptr) : std::move(documents.front());
}

std::string dump_yaml(const Json& value) {
  YAML::Emitter out;
  out.SetIndent(2);
  emit(out, value);
  return std::string(out.c_str()) + "\n";
}

}  // namespace hearth::base
