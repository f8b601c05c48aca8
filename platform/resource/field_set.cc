#include "platform/resource/field_set.h"

#include <algorithm>
#include <optional>

namespace hearth::resource {
namespace {

constexpr const char* kSelf = ".";

bool is_member(const FieldSet& node) { return node.empty() || node.contains(kSelf); }

// A node of these children; nothing when it would be neither a member nor lead to one.
std::optional<FieldSet> make_node(FieldSet children, bool member) {
  if (children.empty()) return member ? std::optional(FieldSet::object()) : std::nullopt;
  if (member) children[kSelf] = FieldSet::object();
  return children;
}

bool is_container(const Json& value) { return value.is_structured() && !value.empty(); }

// Maps and keyed lists that are looked into; all else is one field.
bool is_granular(const FieldSchema& schema, const Json& value) {
  if (value.is_object()) return !value.empty() && !schema.is_atomic_map();
  return value.is_array() && !value.empty() && !schema.is_atomic_list(value);
}

FieldSet node_of(const FieldSchema& schema, const Json& value, Members members) {
  FieldSet out = FieldSet::object();
  if (!is_granular(schema, value)) return out;
  const bool everything = members == Members::kEverything;
  const auto add = [&](const std::string& step, const FieldSchema& place, const Json& child,
                       bool member) {
    FieldSet node = node_of(place, child, members);
    if (!node.empty() && member) node[kSelf] = FieldSet::object();
    out[step] = std::move(node);
  };
  if (value.is_object()) {
    for (const auto& [name, child] : value.items()) {
      const FieldSchema place = schema.field(name);
      add("f:" + name, place, child, everything || !place.is_declared());
    }
    return out;
  }
  for (const Json& item : value) add(*schema.item_element(item), schema.item(), item, true);
  return out;
}

const Json* find_item(const FieldSchema& schema, const Json& list, const std::string& element) {
  const auto it = std::ranges::find_if(
      list, [&](const Json& item) { return schema.item_element(item) == element; });
  return it == list.end() ? nullptr : &*it;
}

std::optional<FieldSet> changes(const FieldSchema& schema, const Json& old, const Json& next);

// A child that both or only the new object has.
std::optional<FieldSet> child_changes(const FieldSchema& schema, const Json* old,
                                      const Json& next) {
  if (old != nullptr) return changes(schema, *old, next);
  FieldSet added = node_of(schema, next, Members::kEverything);
  if (!added.empty()) added[kSelf] = FieldSet::object();
  return added;
}

std::optional<FieldSet> changes(const FieldSchema& schema, const Json& old, const Json& next) {
  const bool comparable = old.type() == next.type() && is_granular(schema, next) &&
                          (old.empty() || is_granular(schema, old));
  if (!comparable) {
    const bool emptied = old.type() == next.type() && next.is_structured() && next.empty();
    if (old == next || emptied) return std::nullopt;
    return FieldSet::object();
  }
  FieldSet children = FieldSet::object();
  const auto add = [&](const std::string& step, std::optional<FieldSet> child) {
    if (child) children[step] = std::move(*child);
  };
  if (next.is_object()) {
    for (const auto& [name, child] : next.items()) {
      const auto known = old.find(name);
      add("f:" + name,
          child_changes(schema.field(name), known == old.end() ? nullptr : &*known, child));
    }
  } else {
    for (const Json& item : next) {
      const std::string element = *schema.item_element(item);
      add(element, child_changes(schema.item(), find_item(schema, old, element), item));
    }
  }
  return make_node(std::move(children), false);
}

std::optional<FieldSet> difference(const FieldSet& a, const FieldSet& b) {
  FieldSet children = FieldSet::object();
  for (const auto& [step, node] : a.items()) {
    if (step == kSelf) continue;
    const auto other = b.find(step);
    if (other == b.end()) {
      children[step] = node;
    } else if (auto left = difference(node, *other)) {
      children[step] = std::move(*left);
    }
  }
  return make_node(std::move(children), is_member(a) && !is_member(b));
}

std::optional<FieldSet> common(const FieldSet& a, const FieldSet& b) {
  FieldSet children = FieldSet::object();
  for (const auto& [step, node] : a.items()) {
    if (step == kSelf) continue;
    const auto other = b.find(step);
    if (other == b.end()) continue;
    if (auto both = common(node, *other)) children[step] = std::move(*both);
  }
  return make_node(std::move(children), is_member(a) && is_member(b));
}

// The root itself is never a member.
FieldSet as_root(std::optional<FieldSet> node) {
  FieldSet out = node.value_or(FieldSet::object());
  out.erase(kSelf);
  return out;
}

std::string step_text(const std::string& step) {
  const std::string text = step.substr(2);
  if (step.starts_with("f:")) return "." + text;
  if (step.starts_with("v:")) return "[=" + text + "]";
  const auto keys = base::parse_json(text);
  if (!keys || !keys->is_object()) return "[" + text + "]";
  std::string out;
  for (const auto& [key, value] : keys->items()) {
    out += (out.empty() ? "[" : ",") + key + "=" + base::dump_json(value);
  }
  return out + "]";
}

void collect_paths(const FieldSet& set, const std::string& prefix, std::vector<std::string>& out) {
  for (const auto& [step, node] : set.items()) {
    if (step == kSelf || step.size() < 2) continue;
    const std::string path = prefix + step_text(step);
    if (is_member(node)) out.push_back(path);
    collect_paths(node, path, out);
  }
}

// The applied order rules; items that only `live` has stay where they were among their neighbours.
Json merge_lists(const FieldSchema& schema, const Json& live, const Json& applied) {
  Json out = Json::array();
  auto next_live = live.begin();
  const auto keep_until = [&](Json::const_iterator end) {
    for (; next_live != end; ++next_live) {
      if (find_item(schema, applied, *schema.item_element(*next_live)) == nullptr) {
        out.push_back(*next_live);
      }
    }
  };
  for (const Json& item : applied) {
    const std::string element = *schema.item_element(item);
    const auto known = std::ranges::find_if(
        live, [&](const Json& other) { return schema.item_element(other) == element; });
    if (known == live.end()) {
      out.push_back(item);
      continue;
    }
    if (known >= next_live) keep_until(known);
    out.push_back(merge_fields(schema.item(), *known, item));
  }
  keep_until(live.end());
  return out;
}

// The child of `object` at a step, and how to take it out.
struct Place {
  Json* value = nullptr;
  FieldSchema schema;
};

Place place_of(const FieldSchema& schema, Json& object, const std::string& step) {
  if (step.starts_with("f:") && object.is_object()) {
    const std::string name = step.substr(2);
    const auto it = object.find(name);
    return {it == object.end() ? nullptr : &*it, schema.field(name)};
  }
  if (!object.is_array()) return {nullptr, schema};
  for (Json& item : object) {
    if (schema.item_element(item) == step) return {&item, schema.item()};
  }
  return {nullptr, schema};
}

void take_out(const FieldSchema& schema, Json& object, const std::string& step) {
  if (object.is_object()) {
    object.erase(step.substr(2));
    return;
  }
  const auto it = std::ranges::find_if(
      object, [&](const Json& item) { return schema.item_element(item) == step; });
  if (it != object.end()) object.erase(it);
}

void remove_from(const FieldSchema& schema, Json& object, const FieldSet& before,
                 const FieldSet& after, const FieldSet& others, bool members_only) {
  static const FieldSet kNone = FieldSet::object();
  for (const auto& [step, node] : before.items()) {
    if (step == kSelf || step.size() < 2) continue;
    const Place place = place_of(schema, object, step);
    if (place.value == nullptr) continue;
    const auto wanted = after.find(step);
    const auto owned = others.find(step);
    const bool in_metadata = members_only || step == "f:metadata";
    const bool unclaimed = wanted == after.end() && owned == others.end();
    // A node with children of its own and others' fields beside them is looked into.
    if (unclaimed && (!in_metadata || node.empty())) {
      take_out(schema, object, step);
      continue;
    }
    const bool had_content = is_container(*place.value);
    remove_from(place.schema, *place.value, node, wanted == after.end() ? kNone : *wanted,
                owned == others.end() ? kNone : *owned, in_metadata);
    if (unclaimed && had_content && place.value->empty()) take_out(schema, object, step);
  }
}

}  // namespace

FieldSet fields_of(const FieldSchema& schema, const Json& object, Members members) {
  return node_of(schema, object, members);
}

FieldSet changed_fields(const FieldSchema& schema, const Json& old, const Json& next) {
  return as_root(changes(schema, old, next));
}

FieldSet unite(const FieldSet& a, const FieldSet& b) {
  FieldSet out = a;
  for (const auto& [step, node] : b.items()) {
    const auto known = out.find(step);
    if (known == out.end()) {
      out[step] = node;
      continue;
    }
    const bool member = is_member(*known) || is_member(node);
    FieldSet both = unite(*known, node);
    if (member && !both.empty()) both[kSelf] = FieldSet::object();
    *known = std::move(both);
  }
  return out;
}

FieldSet subtract(const FieldSet& a, const FieldSet& b) { return as_root(difference(a, b)); }
FieldSet intersect(const FieldSet& a, const FieldSet& b) { return as_root(common(a, b)); }

std::vector<std::string> paths_of(const FieldSet& set) {
  std::vector<std::string> out;
  collect_paths(set, "", out);
  return out;
}

Json merge_fields(const FieldSchema& schema, const Json& live, const Json& applied) {
  const bool mergeable =
      live.type() == applied.type() && is_granular(schema, applied) && is_granular(schema, live);
  // An empty map asks for nothing but that there is one.
  if (applied.is_object() && applied.empty() && live.is_object()) return live;
  if (!mergeable) return applied;
  if (applied.is_array()) return merge_lists(schema, live, applied);
  Json out = live;
  for (const auto& [name, value] : applied.items()) {
    const auto known = out.find(name);
    if (known == out.end())
      out[name] = value;
    else
      *known = merge_fields(schema.field(name), *known, value);
  }
  return out;
}

void remove_fields(const FieldSchema& schema, Json& object, const FieldSet& before,
                   const FieldSet& after, const FieldSet& others) {
  remove_from(schema, object, before, after, others, false);
}

}  // namespace hearth::resource
