#include "platform/event/filter.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::event {

struct Filter::Node {
  enum class Kind { kNone, kPresent, kExact, kPrefix, kSuffix, kAll, kAny, kNot };
  Kind kind = Kind::kNone;
  std::string attribute;
  std::string value;
  std::string also;  // a second value that an exact clause takes
  std::vector<Node> children;
};

namespace {

using Node = Filter::Node;
using Kind = Node::Kind;

enum class Outcome { kPass, kFail, kNoFilter };

// Each event is asked each of them, by every Trigger.
constexpr std::size_t kNodesMax = 1'000;

constexpr std::string_view kDialects[] = {"exact", "prefix", "suffix", "all",
                                          "any",   "not",    "cesql"};

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::kNone:
      return "no filter";
    case Kind::kPresent:
      return "present";
    case Kind::kExact:
      return "exact";
    case Kind::kPrefix:
      return "prefix";
    case Kind::kSuffix:
      return "suffix";
    case Kind::kAll:
      return "all";
    case Kind::kAny:
      return "any";
    case Kind::kNot:
      return "not";
  }
  return "";
}

Error filter_error(const std::string& field, std::string problem) {
  return {Code::kInvalid,
          fmt::format("{}: {}", field, problem),
          {{field, "FieldValueInvalid", std::move(problem)}}};
}

bool is_filter_key(std::string_view key) {
  return is_attribute_name(key) && key.front() >= 'a' && key.front() <= 'z';
}

Node clause(Kind kind, const std::string& attribute, std::string value,
            const FilterOptions& options) {
  Node node{kind, attribute, std::move(value), {}, {}};
  if (kind == Kind::kExact && attribute == "subject" && !options.subject_namespace.empty()) {
    node.also = options.subject_namespace + "/" + node.value;
  }
  return node;
}

// A map of attribute to value: all must hold.
Result<Node> compile_map(Kind kind, const Json& map, const std::string& field,
                         const FilterOptions& options, bool empty_is_any) {
  if (!map.is_object()) return fail(filter_error(field, "is no map"));
  Node all{.kind = Kind::kAll, .attribute = {}, .value = {}, .also = {}, .children = {}};
  for (const auto& [name, value] : map.items()) {
    if (!is_filter_key(name)) {
      return fail(filter_error(field, fmt::format("\"{}\": Attribute name must start with a letter "
                                                  "and can only contain lowercase alphanumeric",
                                                  name)));
    }
    const std::string place = fmt::format("{}.{}", field, name);
    if (!value.is_string()) return fail(filter_error(place, "is no string"));
    auto text = value.get<std::string>();
    if (text.empty() && !empty_is_any) return fail(filter_error(place, "is empty"));
    const Kind used = text.empty() ? Kind::kPresent : kind;
    all.children.push_back(clause(used, name, std::move(text), options));
  }
  if (all.children.empty()) return Node{};
  if (all.children.size() == 1) return std::move(all.children.front());
  return all;
}

Result<Node> compile_node(const Json& filter, const std::string& field,
                          const FilterOptions& options);

Result<Node> compile_list(Kind kind, const Json& list, const std::string& field,
                          const FilterOptions& options) {
  if (!list.is_array()) return fail(filter_error(field, "is no list"));
  if (list.empty()) return Node{};
  Node node{.kind = kind, .attribute = {}, .value = {}, .also = {}, .children = {}};
  for (std::size_t i = 0; i < list.size(); ++i) {
    HEARTH_TRY(child, compile_node(list[i], fmt::format("{}[{}]", field, i), options));
    node.children.push_back(std::move(child));
  }
  return node;
}

bool is_set(const Json& filter, std::string_view dialect) {
  const auto value = filter.find(std::string(dialect));
  if (value == filter.end() || value->is_null()) return false;
  return value->is_string() ? !value->get_ref<const std::string&>().empty() : !value->empty();
}

Result<Node> compile_node(const Json& filter, const std::string& field,
                          const FilterOptions& options) {
  if (!filter.is_object()) return fail(filter_error(field, "is no filter object"));
  for (const auto& [name, value] : filter.items()) {
    if (std::ranges::find(kDialects, name) == std::end(kDialects)) {
      return fail(filter_error(field, fmt::format("\"{}\" is no filter dialect", name)));
    }
  }
  std::vector<std::string> dialects;
  for (const std::string_view dialect : kDialects) {
    if (is_set(filter, dialect)) dialects.emplace_back(dialect);
  }
  if (dialects.empty()) return Node{};
  if (dialects.size() > 1) {
    return fail(
        filter_error(field, "multiple dialects found, filters can have only one dialect set"));
  }
  const std::string& dialect = dialects.front();
  const Json& value = filter[dialect];
  const std::string where = field + "." + dialect;
  if (dialect == "exact") return compile_map(Kind::kExact, value, where, options, false);
  if (dialect == "prefix") return compile_map(Kind::kPrefix, value, where, options, false);
  if (dialect == "suffix") return compile_map(Kind::kSuffix, value, where, options, false);
  if (dialect == "all") return compile_list(Kind::kAll, value, where, options);
  if (dialect == "any") return compile_list(Kind::kAny, value, where, options);
  if (dialect == "cesql") {
    return fail(
        Code::kUnsupported,
        where + ": CloudEvents SQL is not there yet; use exact, prefix, suffix, all, any, not");
  }
  HEARTH_TRY(child, compile_node(value, where, options));
  Node node{.kind = Kind::kNot, .attribute = {}, .value = {}, .also = {}, .children = {}};
  node.children.push_back(std::move(child));
  return node;
}

std::size_t count_nodes(const Node& node) {
  std::size_t count = 1;
  for (const Node& child : node.children) count += count_nodes(child);
  return count;
}

Status check_size(const Node& root, const std::string& field) {
  const std::size_t count = count_nodes(root);
  if (count <= kNodesMax) return {};
  return fail(filter_error(
      field, fmt::format("has {} filters and attributes; at most {} are taken", count, kNodesMax)));
}

std::string_view seen(const CloudEvent& event, const std::string& name) {
  if (const auto value = event.attribute(name)) return *value;
  // Names of CloudEvents 0.x that filters may still use.
  if (name == "schemaurl") return event.dataschema;
  if (name == "datamediatype") {
    const std::string_view type = event.datacontenttype;
    return base::trim(type.substr(0, type.find(';')));
  }
  return {};
}

bool clause_holds(const Node& node, std::string_view value) {
  if (value.empty()) return false;  // an unset attribute equals nothing and begins with nothing
  switch (node.kind) {
    case Kind::kPresent:
      return true;
    case Kind::kExact:
      return value == node.value || (!node.also.empty() && value == node.also);
    case Kind::kPrefix:
      return value.starts_with(node.value);
    case Kind::kSuffix:
      return value.ends_with(node.value);
    default:
      return false;
  }
}

Outcome evaluate(const Node& node, const CloudEvent& event);

Outcome evaluate_list(const Node& node, const CloudEvent& event) {
  const Outcome decisive = node.kind == Kind::kAll ? Outcome::kFail : Outcome::kPass;
  Outcome last = Outcome::kNoFilter;
  for (const Node& child : node.children) {
    last = evaluate(child, event);
    if (last == decisive) break;
  }
  return last;
}

Outcome evaluate(const Node& node, const CloudEvent& event) {
  switch (node.kind) {
    case Kind::kNone:
      return Outcome::kNoFilter;
    case Kind::kAll:
    case Kind::kAny:
      return evaluate_list(node, event);
    case Kind::kNot: {
      const Outcome nested = evaluate(node.children.front(), event);
      if (nested == Outcome::kNoFilter) return nested;
      return nested == Outcome::kPass ? Outcome::kFail : Outcome::kPass;
    }
    default:
      break;
  }
  return clause_holds(node, seen(event, node.attribute)) ? Outcome::kPass : Outcome::kFail;
}

// What would have been close: the difference that people overlook.
std::string near_miss(const Node& node, std::string_view value) {
  if (node.kind != Kind::kExact) return {};
  if (node.value.contains('*')) return "; exact filters know no wildcards";
  if (base::equal_ignoring_case(value, node.value)) return "; only the case differs";
  if (std::string(value) + "/" == node.value || value == node.value + "/") {
    return "; only the slash at the end differs";
  }
  if (value.starts_with(node.value)) return "; a prefix filter would match";
  return {};
}

Verdict explain_node(const Node& node, const CloudEvent& event) {
  Verdict verdict;
  verdict.passes = evaluate(node, event) != Outcome::kFail;
  verdict.clause = std::string(kind_name(node.kind));
  for (const Node& child : node.children) verdict.parts.push_back(explain_node(child, event));
  if (node.attribute.empty()) return verdict;
  verdict.clause += " " + node.attribute;
  const std::string_view value = seen(event, node.attribute);
  const std::string saw =
      value.empty() ? "the attribute is absent" : fmt::format("saw \"{}\"", value);
  verdict.reason = node.kind == Kind::kPresent ? "want any value, " + saw
                                               : fmt::format("want \"{}\", {}", node.value, saw);
  if (!verdict.passes) verdict.reason += near_miss(node, value);
  return verdict;
}

}  // namespace

Json to_json(const Verdict& verdict) {
  Json json{{"passes", verdict.passes}, {"clause", verdict.clause}};
  if (!verdict.reason.empty()) json["reason"] = verdict.reason;
  for (const Verdict& part : verdict.parts) json["parts"].push_back(to_json(part));
  return json;
}

Filter::Filter() : root_(std::make_shared<const Node>()) {}
Filter::Filter(std::shared_ptr<const Node> root) : root_(std::move(root)) {}

Result<Filter> Filter::compile(const Json& trigger_spec, const FilterOptions& options) {
  const Json* filters = base::find(trigger_spec, {"filters"});
  if (filters != nullptr && filters->is_array() && !filters->empty()) {
    HEARTH_TRY(node, compile_list(Kind::kAll, *filters, "spec.filters", options));
    HEARTH_CHECK_OK(check_size(node, "spec.filters"));
    return Filter(std::make_shared<const Node>(std::move(node)));
  }
  const Json* attributes = base::find(trigger_spec, {"filter", "attributes"});
  if (attributes == nullptr || attributes->is_null()) return Filter();
  const std::string field = "spec.filter.attributes";
  HEARTH_TRY(node, compile_map(Kind::kExact, *attributes, field, options, true));
  HEARTH_CHECK_OK(check_size(node, field));
  return Filter(std::make_shared<const Node>(std::move(node)));
}

bool Filter::matches(const CloudEvent& event) const {
  return evaluate(*root_, event) != Outcome::kFail;
}

Verdict Filter::explain(const CloudEvent& event) const { return explain_node(*root_, event); }

}  // namespace hearth::event
