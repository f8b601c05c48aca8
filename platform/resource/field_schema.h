// How the fields of an object merge: which lists have keys, which maps are one value. Custom kinds
// say it in their schema (x-kubernetes-list-type, -list-map-keys, -map-type); of the built-in
// kinds, and of metadata, the names of the fields are known.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/json.h"

namespace hearth::resource {

// A place in an object's structure. Small, copied freely; refers to the schema's JSON.
class FieldSchema {
 public:
  // The whole object; `schema` is an openAPIV3Schema or null.
  static FieldSchema of_object(const Json* schema);

  FieldSchema field(const std::string& name) const;
  FieldSchema item() const;

  // True when the schema names this field of its parent, so that the parent is a struct, no map.
  bool is_declared() const { return declared_; }
  bool is_atomic_map() const;

  // The path element by which an item of this list is known: `k:{"name":"a"}`, `v:"a"`. nullopt:
  // the list is atomic, or the item lacks a key.
  std::optional<std::string> item_element(const Json& item) const;
  // The list is atomic, or an item has no key of its own or that of another.
  bool is_atomic_list(const Json& list) const;

 private:
  std::vector<std::string_view> list_keys(const Json& item) const;
  bool is_set() const;

  const Json* node_ = nullptr;
  bool by_name_ = false;  // no schema: the name of the field decides
  bool declared_ = true;
  bool root_ = false;
  std::string name_;
  std::string parent_;
};

}  // namespace hearth::resource
