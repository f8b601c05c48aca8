#include "platform/resource/field_set.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

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
  const FieldSchema item_schema = schema.item();
  for (const Json& item : value) add(*schema.item_element(item), item_schema, item, true);
  return out;
}

// Where the items of a list stand, by their elements: to look for each item in turn would cost the
// square of the list. Ordered, because outsiders choose the elements and could make hashes collide.
using ItemIndex = std::map<std::string, std::size_t>;

ItemIndex index_of(const FieldSchema& schema, const Json& list) {
  ItemIndex out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (auto element = schema.item_element(list[i])) out.try_emplace(std::move(*element), i);
  }
  return out;
}

std::optional<std::size_t> place_in(const ItemIndex& index, const std::string& element) {
  const auto it = index.find(element);
  return it == index.end() ? std::nullopt : std::optional(it->second);
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
    const ItemIndex known = index_of(schema, old);
    const FieldSchema item_schema = schema.item();
    for (const Json& item : next) {
      const std::string element = *schema.item_element(item);
      const auto place = place_in(known, element);
      add(element, child_changes(item_schema, place ? &old[*place] : nullptr, item));
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

void collect_paths(const FieldSet& set, const std::string& prefix, std::size_t& bytes_left,
                   std::vector<std::string>& out) {
  for (const auto& [step, node] : set.items()) {
    if (step == kSelf || step.size() < 2) continue;
    if (bytes_left == 0 && !out.empty()) return;
    const std::string path = prefix + step_text(step);
    bytes_left -= std::min(bytes_left, path.size());
    if (is_member(node)) out.push_back(path);
    collect_paths(node, path, bytes_left, out);
  }
}

// The applied order rules; items that only `live` has stay where they were among their neighbours.
Json merge_lists(const FieldSchema& schema, Json live, const Json& applied) {
  Json out = Json::array();
  const FieldSchema item_schema = schema.item();
  const ItemIndex known = index_of(schema, live);
  std::vector<bool> merged(live.size());  // those that `applied` has too
  for (const Json& item : applied) {
    if (const auto place = place_in(known, *schema.item_element(item))) merged[*place] = true;
  }
  std::size_t next_live = 0;
  const auto keep_until = [&](std::size_t end) {
    for (; next_live < end; ++next_live) {
      if (!merged[next_live]) out.push_back(std::move(live[next_live]));
    }
  };
  for (const Json& item : applied) {
    const auto place = place_in(known, *schema.item_element(item));
    if (!place) {
      out.push_back(item);
      continue;
    }
    keep_until(*place);
    out.push_back(merge_fields(item_schema, std::move(live[*place]), item));
  }
  keep_until(live.size());
  return out;
}

// The children of a map or list at their steps. Items that are taken out go all at once in the end,
// so that the others keep their places.
class Children {
 public:
  Children(const FieldSchema& schema, Json& parent) : schema_(schema), parent_(parent) {
    if (!parent.is_array()) return;
    items_ = index_of(schema, parent);
    item_schema_ = schema.item();
    taken_.resize(parent.size());
  }

  // nullptr: there is none.
  Json* find(const std::string& step) {
    if (parent_.is_array()) {
      const auto place = place_in(items_, step);
      return place ? &parent_[*place] : nullptr;
    }
    if (!step.starts_with("f:") || !parent_.is_object()) return nullptr;
    const auto it = parent_.find(step.substr(2));
    return it == parent_.end() ? nullptr : &*it;
  }

  FieldSchema schema_at(const std::string& step) const {
    return parent_.is_array() ? item_schema_ : schema_.field(step.substr(2));
  }

  // Of a step at which there is a child.
  void take_out(const std::string& step) {
    if (parent_.is_object()) {
      parent_.erase(step.substr(2));
      return;
    }
    taken_[*place_in(items_, step)] = true;
    any_taken_ = true;
  }

  void drop_taken() {
    if (!any_taken_) return;
    Json left = Json::array();
    for (std::size_t i = 0; i < taken_.size(); ++i) {
      if (!taken_[i]) left.push_back(std::move(parent_[i]));
    }
    parent_ = std::move(left);
  }

 private:
  const FieldSchema& schema_;
  Json& parent_;
  ItemIndex items_;
  FieldSchema item_schema_;
  std::vector<bool> taken_;
  bool any_taken_ = false;
};

void remove_from(const FieldSchema& schema, Json& object, const FieldSet& before,
                 const FieldSet& after, const FieldSet& others, bool members_only) {
  static const FieldSet kNone = FieldSet::object();
  Children children(schema, object);
  for (const auto& [step, node] : before.items()) {
    if (step == kSelf || step.size() < 2) continue;
    Json* const child = children.find(step);
    if (child == nullptr) continue;
    const auto wanted = after.find(step);
    const auto owned = others.find(step);
    const bool in_metadata = members_only || step == "f:metadata";
    const bool unclaimed = wanted == after.end() && owned == others.end();
    // A node with children of its own and others' fields beside them is looked into.
    if (unclaimed && (!in_metadata || node.empty())) {
      children.take_out(step);
      continue;
    }
    const bool had_content = is_container(*child);
    remove_from(children.schema_at(step), *child, node, wanted == after.end() ? kNone : *wanted,
                owned == others.end() ? kNone : *owned, in_metadata);
    if (unclaimed && had_content && child->empty()) children.take_out(step);
  }
  children.drop_taken();
}

}  // namespace

FieldSet fields_of(const FieldSchema& schema, const Json& object, Members members) {
  return node_of(schema, object, members);
}

FieldSet changed_fields(const FieldSchema& schema, const Json& old, const Json& next) {
  return as_root(changes(schema, old, next));
}

void add_fields(FieldSet& set, const FieldSet& more) {
  for (const auto& [step, node] : more.items()) {
    const auto known = set.find(step);
    if (known == set.end()) {
      set[step] = node;
      continue;
    }
    const bool member = is_member(*known) || is_member(node);
    add_fields(*known, node);
    if (member && !known->empty()) (*known)[kSelf] = FieldSet::object();
  }
}

FieldSet subtract(const FieldSet& a, const FieldSet& b) { return as_root(difference(a, b)); }
FieldSet intersect(const FieldSet& a, const FieldSet& b) { return as_root(common(a, b)); }

std::vector<std::string> paths_of(const FieldSet& set, std::size_t bytes_max) {
  std::vector<std::string> out;
  collect_paths(set, "", bytes_max, out);
  return out;
}

Json merge_fields(const FieldSchema& schema, Json live, const Json& applied) {
  const bool mergeable =
      live.type() == applied.type() && is_granular(schema, applied) && is_granular(schema, live);
  // An empty map asks for nothing but that there is one.
  if (applied.is_object() && applied.empty() && live.is_object()) return live;
  if (!mergeable) return applied;
  if (applied.is_array()) return merge_lists(schema, std::move(live), applied);
  for (const auto& [name, value] : applied.items()) {
    const auto known = live.find(name);
    if (known == live.end())
      live[name] = value;
    else
      *known = merge_fields(schema.field(name), std::move(*known), value);
  }
  return live;
}

void remove_fields(const FieldSchema& schema, Json& object, const FieldSet& before,
                   const FieldSet& after, const FieldSet& others) {
  remove_from(schema, object, before, after, others, false);
}

}  // namespace hearth::resource
