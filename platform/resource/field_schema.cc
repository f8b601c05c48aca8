#include "platform/resource/field_schema.h"

#include <algorithm>
#include <map>
#include <set>

namespace hearth::resource {
namespace {

// x-kubernetes-list-map-keys of the built-in kinds' lists, by field name.
std::vector<std::string_view> built_in_keys(std::string_view name) {
  static const std::map<std::string_view, std::vector<std::string_view>> kKeys{
      {"conditions", {"type"}},
      {"containers", {"name"}},
      {"env", {"name"}},
      {"ephemeralContainers", {"name"}},
      {"hostAliases", {"ip"}},
      {"hostIPs", {"ip"}},
      {"imagePullSecrets", {"name"}},
      {"initContainers", {"name"}},
      {"ownerReferences", {"uid"}},
      {"podIPs", {"ip"}},
      {"resourceClaims", {"name"}},
      {"secrets", {"name"}},
      {"topologySpreadConstraints", {"topologyKey", "whenUnsatisfiable"}},
      {"volumeDevices", {"devicePath"}},
      {"volumeMounts", {"mountPath"}},
      {"volumes", {"name"}}};
  const auto it = kKeys.find(name);
  return it == kKeys.end() ? std::vector<std::string_view>() : it->second;
}

// x-kubernetes-map-type: atomic
bool built_in_atomic(std::string_view name) {
  static const std::set<std::string_view> kNames{
      "claimRef",       "configMapKeyRef", "configMapRef",     "fieldRef",
      "involvedObject", "labelSelector",   "localObjectRef",   "namespaceSelector",
      "nodeSelector",   "podSelector",     "resourceFieldRef", "roleRef",
      "scaleTargetRef", "secretKeyRef",    "secretRef",        "selector"};
  return kNames.contains(name);
}

Json key_value(const Json& item, std::string_view key) {
  if (const auto it = item.find(key); it != item.end()) return *it;
  // The one key that has a default.
  return key == "protocol" ? Json("TCP") : Json();
}

}  // namespace

FieldSchema FieldSchema::of_object(const Json* schema) {
  FieldSchema out;
  out.node_ = schema;
  out.by_name_ = schema == nullptr;
  out.root_ = true;
  return out;
}

FieldSchema FieldSchema::field(const std::string& name) const {
  FieldSchema out;
  out.name_ = name;
  out.parent_ = name_;
  out.by_name_ = by_name_ || (root_ && name == "metadata");
  if (out.by_name_ || node_ == nullptr) {
    out.declared_ = out.by_name_;
    return out;
  }
  out.node_ = base::find(*node_, {"properties", name});
  out.declared_ = out.node_ != nullptr;
  if (!out.declared_) {
    const Json* values = base::find(*node_, {"additionalProperties"});
    if (values != nullptr && values->is_object()) out.node_ = values;
  }
  return out;
}

FieldSchema FieldSchema::item() const {
  FieldSchema out;
  out.name_ = name_;
  out.parent_ = name_;
  out.by_name_ = by_name_;
  out.declared_ = false;
  if (node_ != nullptr) out.node_ = base::find(*node_, {"items"});
  return out;
}

bool FieldSchema::is_atomic_map() const {
  if (by_name_) return built_in_atomic(name_);
  return node_ != nullptr && base::string_at(*node_, {"x-kubernetes-map-type"}) == "atomic";
}

bool FieldSchema::is_set() const {
  if (by_name_) return name_ == "finalizers";
  return node_ != nullptr && base::string_at(*node_, {"x-kubernetes-list-type"}) == "set";
}

std::vector<std::string_view> FieldSchema::list_keys(const Json& item) const {
  if (by_name_ && name_ == "ports") {
    if (item.contains("containerPort")) return {"containerPort", "protocol"};
    return parent_ == "spec" ? std::vector<std::string_view>{"port", "protocol"}
                             : std::vector<std::string_view>();
  }
  if (by_name_) return built_in_keys(name_);
  std::vector<std::string_view> out;
  if (node_ == nullptr || base::string_at(*node_, {"x-kubernetes-list-type"}) != "map") return out;
  const Json* keys = base::find(*node_, {"x-kubernetes-list-map-keys"});
  if (keys == nullptr || !keys->is_array()) return out;
  for (const Json& key : *keys) {
    if (key.is_string()) out.emplace_back(key.get_ref<const std::string&>());
  }
  return out;
}

std::optional<std::string> FieldSchema::item_element(const Json& item) const {
  if (is_set()) {
    if (item.is_structured()) return std::nullopt;
    return "v:" + base::dump_json(item);
  }
  if (!item.is_object()) return std::nullopt;
  Json keys = Json::object();
  for (const std::string_view key : list_keys(item)) {
    Json value = key_value(item, key);
    if (value.is_null() || value.is_structured()) return std::nullopt;
    keys[std::string(key)] = std::move(value);
  }
  if (keys.empty()) return std::nullopt;
  return "k:" + base::dump_json(keys);
}

bool FieldSchema::is_atomic_list(const Json& list) const {
  std::set<std::string> seen;
  for (const Json& item : list) {
    const auto element = item_element(item);
    if (!element || !seen.insert(*element).second) return true;
  }
  return false;
}

}  // namespace hearth::resource
