// Kubernetes objects as JSON values and the accessors that everyone needs. An object that is shared
// between rooms is an immutable snapshot (ObjectPtr).
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"

namespace hearth::resource {

using ObjectPtr = std::shared_ptr<const Json>;

// Names one collection of the API: /apis/{group}/{version}/…/{plural}.
struct Type {
  std::string group;  // empty: core
  std::string version;
  std::string plural;
  std::string kind;
  bool namespaced = true;

  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  bool operator==(const Type&) const = default;
};

struct ObjectKey {
  std::string ns;
  std::string name;

  std::string text() const { return ns.empty() ? name : ns + "/" + name; }
  auto operator<=>(const ObjectKey&) const = default;
};

std::string name_of(const Json& object);
std::string namespace_of(const Json& object);
std::string uid_of(const Json& object);
ObjectKey key_of(const Json& object);
std::int64_t generation_of(const Json& object);
std::uint64_t resource_version_of(const Json& object);  // 0 when absent
bool is_being_deleted(const Json& object);
std::string label_of(const Json& object, std::string_view name);
std::string annotation_of(const Json& object, std::string_view name);

bool has_finalizer(const Json& object, std::string_view name);
// True when the object changed.
bool add_finalizer(Json& object, std::string_view name);
bool remove_finalizer(Json& object, std::string_view name);

struct OwnerReference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  bool controller = false;
};
std::vector<OwnerReference> owners_of(const Json& object);
std::optional<OwnerReference> controller_of(const Json& object);
// Makes `owner` the controller of `dependent` (controller and blockOwnerDeletion true).
void set_controller(Json& dependent, const Json& owner);

// {apiVersion, kind, metadata{name, namespace}}: what every new object begins with.
Json new_object(const Type& type, const ObjectKey& key);

}  // namespace hearth::resource
