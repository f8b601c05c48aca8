#include "platform/resource/patch.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "platform/base/limits.h"

namespace hearth::resource {
namespace {

constexpr std::string_view kDirective = "$patch";
constexpr std::string_view kSetOrder = "$setElementOrder/";
constexpr std::string_view kDeletePrimitive = "$deleteFromPrimitiveList/";

// Merge keys of the built-in kinds' lists (patchMergeKey in the API's Go types), by field name.
std::string_view merge_key(std::string_view field) {
  static const std::map<std::string_view, std::string_view> kKeys{
      {"containers", "name"},
      {"initContainers", "name"},
      {"ephemeralContainers", "name"},
      {"env", "name"},
      {"volumes", "name"},
      {"volumeMounts", "mountPath"},
      {"volumeDevices", "devicePath"},
      {"imagePullSecrets", "name"},
      {"secrets", "name"},
      {"hostAliases", "ip"},
      {"conditions", "type"},
      {"ownerReferences", "uid"},
      {"podIPs", "ip"},
      {"addresses", "type"},
      {"topologySpreadConstraints", "topologyKey"}};
  const auto it = kKeys.find(field);
  return it == kKeys.end() ? std::string_view() : it->second;
}

// Container ports merge by containerPort, Service ports by port.
std::string_view ports_key(const Json& list) {
  for (const Json& item : list) {
    if (item.contains("containerPort")) return "containerPort";
    if (item.contains("port")) return "port";
  }
  return {};
}

// The directive of a patch's object; empty when it has none.
Result<std::string> directive_of(const Json& patch) {
  const auto it = patch.find(kDirective);
  if (it == patch.end()) return std::string();
  if (it->is_string()) return it->get<std::string>();
  return fail(Code::kBadRequest, fmt::format("the directive {} is no string", kDirective));
}

bool merges_as_set(std::string_view field) { return field == "finalizers"; }

// Numbers that compare equal as one: what JSON writes as 1.0 is 1.
void unify_numbers(Json& value) {
  constexpr double kExactMax = 9007199254740992;  // integers beyond have no double of their own
  if (value.is_number_float()) {
    const double number = value.get<double>();
    const bool exact = number >= -kExactMax && number <= kExactMax;
    if (exact && static_cast<double>(static_cast<std::int64_t>(number)) == number)
      value = static_cast<std::int64_t>(number);
  }
  if (value.is_structured()) {
    for (Json& child : value) unify_numbers(child);
  }
}

// One text for values that are equal, to look items up by: comparing each with each would cost the
// square of a list. Texts and not hashes, because outsiders could make hashes collide.
std::string text_of(const Json& value) {
  if (value.is_string() || value.is_number_integer()) return base::dump_json(value);
  Json unified = value;
  unify_numbers(unified);
  return base::dump_json(unified);
}

std::set<std::string> texts_of(const Json& list) {
  std::set<std::string> out;
  for (const Json& item : list) out.insert(text_of(item));
  return out;
}

// The objects of a list by a key of theirs; one that lacks it has null. Several may share it.
class KeyedItems {
 public:
  KeyedItems(Json list, const std::string& key) : list_(std::move(list)), deleted_(list_.size()) {
    // Backwards, so that the first of several is the last of its places.
    for (std::size_t i = list_.size(); i-- > 0;) {
      if (list_[i].is_object()) places_[text_of(list_[i].value(key, Json()))].push_back(i);
    }
  }

  // The first that has this key; nullptr: none has.
  Json* find(const Json& key) {
    const auto it = places_.find(text_of(key));
    return it == places_.end() || it->second.empty() ? nullptr : &list_[it->second.back()];
  }

  void erase_first(const Json& key) {
    const auto it = places_.find(text_of(key));
    if (it == places_.end() || it->second.empty()) return;
    deleted_[it->second.back()] = true;
    it->second.pop_back();
  }

  void move_to(Json& out) {
    for (std::size_t i = 0; i < list_.size(); ++i) {
      if (!deleted_[i]) out.push_back(std::move(list_[i]));
    }
  }

 private:
  Json list_;
  std::map<std::string, std::vector<std::size_t>> places_;
  std::vector<bool> deleted_;
};

class StrategicMerge {
 public:
  Result<Json> merge(Json target, const Json& patch) {
    if (!patch.is_object()) return patch;
    if (!target.is_object()) target = Json::object();
    if (const auto it = patch.find(kDirective); it != patch.end()) {
      if (*it == "replace") return without_directives(patch);
      if (*it == "delete") return Json::object();
    }
    retain_keys(target, patch);
    for (const auto& [key, value] : patch.items()) {
      if (key.starts_with('$')) continue;
      HEARTH_CHECK_OK(merge_field(target, key, value));
    }
    delete_primitives(target, patch);
    set_orders(target, patch);
    return target;
  }

 private:
  static Json without_directives(const Json& patch) {
    Json out = patch;
    out.erase(std::string(kDirective));
    return out;
  }

  static void retain_keys(Json& target, const Json& patch) {
    const auto retain = patch.find("$retainKeys");
    if (retain == patch.end() || !retain->is_array()) return;
    Json kept = Json::object();
    for (const Json& name : *retain) {
      if (!name.is_string()) continue;
      const auto known = target.find(name.get_ref<const std::string&>());
      // Of a name said twice, the value was taken already.
      if (known == target.end()) continue;
      kept[known.key()] = std::move(*known);
      target.erase(known);
    }
    target = std::move(kept);
  }

  Status merge_field(Json& target, const std::string& key, const Json& value) {
    if (value.is_null()) {
      target.erase(key);
    } else if (value.is_object()) {
      HEARTH_TRY(directive, directive_of(value));
      if (directive == "delete") {
        target.erase(key);
        return {};
      }
      // Taken, not copied: a copy at each level would cost the object times its depth.
      HEARTH_TRY(merged, merge(std::exchange(target[key], Json()), value));
      target[key] = std::move(merged);
    } else if (value.is_array()) {
      HEARTH_TRY(merged, merge_list(key, std::exchange(target[key], Json()), value));
      target[key] = std::move(merged);
    } else {
      target[key] = value;
    }
    return {};
  }

  Result<Json> merge_list(const std::string& field, Json target, const Json& patch) {
    if (!target.is_array()) target = Json::array();
    if (merges_as_set(field)) {
      std::set<std::string> known = texts_of(target);
      for (const Json& item : patch) {
        if (known.insert(text_of(item)).second) target.push_back(item);
      }
      return target;
    }
    std::string_view key = merge_key(field);
    if (field == "ports") key = ports_key(patch.empty() ? target : patch);
    const bool objects =
        std::ranges::all_of(patch, [](const Json& item) { return item.is_object(); });
    if (key.empty() || !objects) return patch;
    return merge_keyed(std::string(key), std::move(target), patch);
  }

  Result<Json> merge_keyed(const std::string& key, Json target, const Json& patch) {
    Json fresh = Json::array();  // items only the patch knows come before those of the server
    KeyedItems items(std::move(target), key);
    bool replace = false;
    for (const Json& item : patch) {
      HEARTH_TRY(directive, directive_of(item));
      if (directive == "replace") {
        replace = true;
        continue;
      }
      if (!item.contains(key)) {
        return fail(Code::kBadRequest,
                    fmt::format("map: {} does not contain declared merge key: {}",
                                base::dump_json(item), key));
      }
      if (replace) {
        fresh.push_back(without_directives(item));
        continue;
      }
      if (directive == "delete") {
        items.erase_first(item[key]);
      } else if (Json* const known = items.find(item[key]); known != nullptr) {
        HEARTH_TRY(merged, merge(std::exchange(*known, Json()), item));
        *known = std::move(merged);
      } else {
        fresh.push_back(item);
      }
    }
    if (!replace) items.move_to(fresh);
    return fresh;
  }

  static void delete_primitives(Json& target, const Json& patch) {
    for (const auto& [key, value] : patch.items()) {
      if (!key.starts_with(kDeletePrimitive) || !value.is_array()) continue;
      const std::string field = key.substr(kDeletePrimitive.size());
      if (!target.contains(field) || !target[field].is_array()) continue;
      const std::set<std::string> deleted = texts_of(value);
      Json kept = Json::array();
      for (Json& item : target[field]) {
        if (!deleted.contains(text_of(item))) kept.push_back(std::move(item));
      }
      target[field] = std::move(kept);
    }
  }

  static void set_orders(Json& target, const Json& patch) {
    for (const auto& [key, order] : patch.items()) {
      if (!key.starts_with(kSetOrder) || !order.is_array()) continue;
      const std::string field = key.substr(kSetOrder.size());
      if (target.contains(field) && target[field].is_array()) sort_by(target[field], field, order);
    }
  }

  static void sort_by(Json& list, const std::string& field, const Json& order) {
    std::string_view key = merge_key(field);
    if (field == "ports") key = ports_key(list);
    // (known by its key, what it is known by)
    const auto name_of = [&](const Json& item) {
      const bool keyed = !key.empty() && item.is_object();
      return std::pair(keyed, text_of(keyed ? item.value(key, Json()) : item));
    };
    std::map<std::pair<bool, std::string>, std::size_t> positions;
    for (std::size_t i = 0; i < order.size(); ++i) positions.try_emplace(name_of(order[i]), i);
    std::vector<std::pair<std::size_t, std::size_t>> places;  // (position in order, now)
    places.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      const auto wanted = positions.find(name_of(list[i]));
      places.emplace_back(wanted == positions.end() ? order.size() : wanted->second, i);
    }
    std::ranges::sort(places);
    Json sorted = Json::array();
    for (const auto& [wanted, now] : places) sorted.push_back(std::move(list[now]));
    list = std::move(sorted);
  }
};

}  // namespace

namespace {

// "[json.exception.other_error.501] unsuccessful: …": the bracket is the library's.
std::string without_library_tag(std::string text) {
  if (const auto end = text.find("] "); text.starts_with("[json") && end != text.npos) {
    text.erase(0, end + 2);
  }
  return text;
}

}  // namespace

namespace {

// How many items of an array change their places when one is put or taken at `path`. None where no
// item can be: the operation itself tells.
std::size_t items_shifted(const Json& object, const std::string& path) {
  const Json::json_pointer pointer(path);
  if (pointer.empty() || !object.contains(pointer.parent_pointer())) return 0;
  const Json& list = object.at(pointer.parent_pointer());
  if (!list.is_array()) return 0;
  const std::string& step = pointer.back();
  std::size_t index = 0;
  const auto read = std::from_chars(step.data(), step.data() + step.size(), index);
  return read.ec == std::errc() && index < list.size() ? list.size() - index : 0;
}

// A short patch can move millions of items with each operation at the front of a long array.
Status check_shifts(const Json& object, const Json& operation, std::size_t& shifted) {
  constexpr std::size_t kItemsShiftedMax = 10'000'000;
  const std::string kind = base::string_at(operation, {"op"});
  if (kind == "remove" || kind == "add" || kind == "copy" || kind == "move") {
    shifted += items_shifted(object, base::string_at(operation, {"path"}));
  }
  if (kind == "move") shifted += items_shifted(object, base::string_at(operation, {"from"}));
  if (shifted <= kItemsShiftedMax) return {};
  return fail(Code::kTooLarge,
              fmt::format("the JSON patch shifts over {} items of arrays by adding and removing "
                          "before them",
                          kItemsShiftedMax));
}

// A short patch can double the object with every copy and nest it with every addition: what it
// copies is bounded as by the API server, and depth as for all JSON. Throws as patch() does.
Status check_growth(const Json& object, const Json& operation, std::size_t& copied) {
  const std::string kind = base::string_at(operation, {"op"});
  const Json* value = base::find(operation, {"value"});
  if (kind == "copy" || kind == "move") {
    value = &object.at(Json::json_pointer(base::string_at(operation, {"from"})));
    copied += base::dump_json(*value).size();
    if (copied > limits::kApiBodyBytesMax) {
      return fail(Code::kTooLarge,
                  fmt::format("the JSON patch copies over {} bytes", limits::kApiBodyBytesMax));
    }
  }
  if (value == nullptr || kind == "test") return {};
  const std::string path = base::string_at(operation, {"path"});
  const auto steps = static_cast<std::size_t>(std::ranges::count(path, '/'));
  if (steps + base::depth_of(*value) <= limits::kJsonDepthMax) return {};
  return fail(Code::kInvalid, "the JSON patch nests the object too deeply");
}

// What lies at a path's end lies in an object or an array. The library only asserts that: without
// assertions it would do nothing, or make an object of null, and tell of a success.
Status check_parent(const Json& object, const Json& operation) {
  const std::string kind = base::string_at(operation, {"op"});
  if (kind != "add" && kind != "copy" && kind != "remove") return {};
  const std::string path = base::string_at(operation, {"path"});
  const Json::json_pointer pointer(path);
  if (pointer.empty() || !object.contains(pointer.parent_pointer())) return {};  // it tells that
  if (object.at(pointer.parent_pointer()).is_structured()) return {};
  return fail(Code::kInvalid, fmt::format("the JSON patch can't {} \"{}\": what it would lie in is "
                                          "no object and no array",
                                          kind, path));
}

// Throws as patch() does.
Status apply_operation(Json& object, const Json& operation) {
  const Json* from = base::find(operation, {"from"});
  const Json* path = base::find(operation, {"path"});
  const bool whole = from != nullptr && from->is_string() && path != nullptr && path->is_string();
  if (whole && base::string_at(operation, {"op"}) == "move") {
    // In two: what is taken may change what the path is in.
    const Json taken = object.at(Json::json_pointer(from->get<std::string>()));
    HEARTH_CHECK_OK(apply_operation(object, {{"op", "remove"}, {"path", *from}}));
    return apply_operation(object, {{"op", "add"}, {"path", *path}, {"value", taken}});
  }
  HEARTH_CHECK_OK(check_parent(object, operation));
  object.patch_inplace(Json::array({operation}));
  return {};
}

}  // namespace

Result<Json> json_patch(const Json& object, const Json& patch) {
  constexpr std::size_t kOperationsMax = 10'000;  // as the API server
  if (!patch.is_array()) return fail(Code::kBadRequest, "a JSON patch is an array of operations");
  if (patch.size() > kOperationsMax)
    return fail(Code::kTooLarge, "JSON patch has too many operations");
  try {
    Json patched = object;
    std::size_t copied = 0;
    std::size_t shifted = 0;
    for (const Json& operation : patch) {
      HEARTH_CHECK_OK(check_growth(patched, operation, copied));
      HEARTH_CHECK_OK(check_shifts(patched, operation, shifted));
      HEARTH_CHECK_OK(apply_operation(patched, operation));
    }
    return patched;
  } catch (const Json::parse_error& e) {
    return fail(Code::kBadRequest,
                fmt::format("malformed JSON patch: {}", without_library_tag(e.what())));
  } catch (const Json::exception& e) {
    return fail(Code::kInvalid,
                fmt::format("the server rejected our request due to an error in our "
                            "request: JSON patch: {}",
                            without_library_tag(e.what())));
  }
}

Json merge_patch(Json object, const Json& patch) {
  object.merge_patch(patch);
  return object;
}

Result<Json> strategic_merge_patch(const Json& object, const Json& patch) {
  if (!patch.is_object()) return fail(Code::kBadRequest, "a merge patch is an object");
  return StrategicMerge().merge(object, patch);
}

Result<Json> apply_patch(PatchType type, const Json& object, const Json& patch) {
  switch (type) {
    case PatchType::kJson:
      return json_patch(object, patch);
    case PatchType::kMerge:
      if (!patch.is_object()) return fail(Code::kBadRequest, "a merge patch is an object");
      return merge_patch(object, patch);
    case PatchType::kStrategic:
      return strategic_merge_patch(object, patch);
    case PatchType::kApply:
      break;
  }
  return fail(Code::kInternal, "server-side apply is no patch of an object alone");
}

}  // namespace hearth::resource
