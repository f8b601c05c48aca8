#include "platform/resource/object.h"

#include <algorithm>

#include "platform/base/text.h"

namespace hearth::resource {

using base::string_at;

std::string name_of(const Json& object) { return string_at(object, {"metadata", "name"}); }
std::string namespace_of(const Json& object) {
  return string_at(object, {"metadata", "namespace"});
}
std::string uid_of(const Json& object) { return string_at(object, {"metadata", "uid"}); }
ObjectKey key_of(const Json& object) { return {namespace_of(object), name_of(object)}; }

std::int64_t generation_of(const Json& object) {
  return base::int_at(object, {"metadata", "generation"}).value_or(0);
}

std::uint64_t resource_version_of(const Json& object) {
  const std::string text = string_at(object, {"metadata", "resourceVersion"});
  return base::parse_int<std::uint64_t>(text).value_or(0);
}

bool is_being_deleted(const Json& object) {
  return !string_at(object, {"metadata", "deletionTimestamp"}).empty();
}

std::string label_of(const Json& object, std::string_view name) {
  return string_at(object, {"metadata", "labels", name});
}
std::string annotation_of(const Json& object, std::string_view name) {
  return string_at(object, {"metadata", "annotations", name});
}

bool has_finalizer(const Json& object, std::string_view name) {
  const Json* list = base::find(object, {"metadata", "finalizers"});
  return list != nullptr && list->is_array() && std::ranges::find(*list, Json(name)) != list->end();
}

bool add_finalizer(Json& object, std::string_view name) {
  if (has_finalizer(object, name)) return false;
  Json& list = object["metadata"]["finalizers"];
  if (!list.is_array()) list = Json::array();
  list.push_back(name);
  return true;
}

bool remove_finalizer(Json& object, std::string_view name) {
  if (!has_finalizer(object, name)) return false;
  Json& list = object["metadata"]["finalizers"];
  list.erase(std::ranges::find(list, Json(name)));
  return true;
}

std::vector<OwnerReference> owners_of(const Json& object) {
  std::vector<OwnerReference> out;
  const Json* list = base::find(object, {"metadata", "ownerReferences"});
  if (list == nullptr || !list->is_array()) return out;
  for (const Json& item : *list) {
    out.push_back({string_at(item, {"apiVersion"}), string_at(item, {"kind"}),
                   string_at(item, {"name"}), string_at(item, {"uid"}),
                   base::bool_at(item, {"controller"}).value_or(false)});
  }
  return out;
}

std::optional<OwnerReference> controller_of(const Json& object) {
  for (OwnerReference& owner : owners_of(object)) {
    if (owner.controller) return std::move(owner);
  }
  return std::nullopt;
}

void set_controller(Json& dependent, const Json& owner) {
  dependent["metadata"]["ownerReferences"] =
      Json::array({{{"apiVersion", string_at(owner, {"apiVersion"})},
                    {"kind", string_at(owner, {"kind"})},
                    {"name", name_of(owner)},
                    {"uid", uid_of(owner)},
                    {"controller", true},
                    {"blockOwnerDeletion", true}}});
}

Json new_object(const Type& type, const ObjectKey& key) {
  Json object{
      {"apiVersion", type.api_version()}, {"kind", type.kind}, {"metadata", {{"name", key.name}}}};
  if (type.namespaced) object["metadata"]["namespace"] = key.ns;
  return object;
}

}  // namespace hearth::resource
