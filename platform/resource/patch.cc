#include "platform/resource/patch.h"

#include <algorithm>
#include <map>
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
    for (const auto& [key, value] : target.items()) {
      if (std::ranges::find(*retain, Json(key)) != retain->end()) kept[key] = value;
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
      HEARTH_TRY(merged, merge(target.value(key, Json::object()), value));
      target[key] = std::move(merged);
    } else if (value.is_array()) {
      HEARTH_TRY(merged, merge_list(key, target.value(key, Json::array()), value));
      target[key] = std::move(merged);
    } else {
      target[key] = value;
    }
    return {};
  }

  Result<Json> merge_list(const std::string& field, Json target, const Json& patch) {
    if (!target.is_array()) target = Json::array();
    if (merges_as_set(field)) {
      for (const Json& item : patch) {
        if (std::ranges::find(target, item) == target.end()) target.push_back(item);
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
      const auto known = std::ranges::find_if(target, [&](const Json& t) {
        return t.is_object() && t.value(key, Json()) == item[key];
      });
      if (directive == "delete") {
        if (known != target.end()) target.erase(known);
      } else if (known != target.end()) {
        HEARTH_TRY(merged, merge(*known, item));
        *known = std::move(merged);
      } else {
        fresh.push_back(item);
      }
    }
    if (replace) return fresh;
    for (Json& item : target) fresh.push_back(std::move(item));
    return fresh;
  }

  static void delete_primitives(Json& target, const Json& patch) {
    for (const auto& [key, value] : patch.items()) {
      if (!key.starts_with(kDeletePrimitive) || !value.is_array()) continue;
      const std::string field = key.substr(kDeletePrimitive.size());
      if (!target.contains(field) || !target[field].is_array()) continue;
      Json kept = Json::array();
      for (const Json& item : target[field]) {
        if (std::ranges::find(value, item) == value.end()) kept.push_back(item);
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
    const auto position = [&](const Json& item) {
      for (std::size_t i = 0; i < order.size(); ++i) {
        const bool same =
            key.empty() || !item.is_object()
                ? order[i] == item
                : order[i].is_object() && order[i].value(key, Json()) == item.value(key, Json());
        if (same) return i;
      }
      return order.size();
    };
    std::vector<std::pair<std::size_t, std::size_t>> places;  // (position in order, now)
    places.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) places.emplace_back(position(list[i]), i);
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

}  // namespace

Result<Json> json_patch(const Json& object, const Json& patch) {
  constexpr std::size_t kOperationsMax = 10'000;  // as the API server
  if (!patch.is_array()) return fail(Code::kBadRequest, "a JSON patch is an array of operations");
  if (patch.size() > kOperationsMax)
    return fail(Code::kTooLarge, "JSON patch has too many operations");
  try {
    Json patched = object;
    std::size_t copied = 0;
    for (const Json& operation : patch) {
      HEARTH_CHECK_OK(check_growth(patched, operation, copied));
      patched.patch_inplace(Json::array({operation}));
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
