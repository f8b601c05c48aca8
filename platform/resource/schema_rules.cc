#include "platform/resource/schema_rules.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include <fmt/format.h>
#include <re2/re2.h>

#include "platform/base/beginning.h"

namespace hearth::resource {
namespace {

// Nobody mends more at once, and an answer has to stay small.
constexpr std::size_t kErrorsMax = 50;
constexpr std::size_t kShownBytesMax = 128;

struct Keyword {
  const char* name;
  std::string_view type;
};

constexpr Keyword kKeywords[] = {
    {"type", "string"},
    {"format", "string"},
    {"pattern", "string"},
    {"title", "string"},
    {"description", "string"},
    {"x-kubernetes-list-type", "string"},
    {"x-kubernetes-map-type", "string"},
    {"exclusiveMaximum", "boolean"},
    {"exclusiveMinimum", "boolean"},
    {"uniqueItems", "boolean"},
    {"nullable", "boolean"},
    {"x-kubernetes-embedded-resource", "boolean"},
    {"x-kubernetes-int-or-string", "boolean"},
    {"x-kubernetes-preserve-unknown-fields", "boolean"},
    {"maxItems", "integer"},
    {"minItems", "integer"},
    {"maxLength", "integer"},
    {"minLength", "integer"},
    {"maxProperties", "integer"},
    {"minProperties", "integer"},
    {"maximum", "number"},
    {"minimum", "number"},
    {"multipleOf", "number"},
    {"allOf", "array"},
    {"anyOf", "array"},
    {"oneOf", "array"},
    {"enum", "array"},
    {"required", "array"},
    {"x-kubernetes-list-map-keys", "array"},
    {"x-kubernetes-validations", "array"},
    {"not", "object"},
    {"properties", "object"},
};

// Of JSON Schema, but of no structural schema.
constexpr const char* kUnsupported[] = {
    "id", "$ref", "definitions", "dependencies", "patternProperties", "additionalItems"};

// Within allOf, anyOf, oneOf and not, which only judge values: what it must be instead.
constexpr std::pair<const char*, const char*> kForbiddenInside[] = {
    {"type", "empty"},
    {"title", "empty"},
    {"description", "empty"},
    {"default", "undefined"},
    {"additionalProperties", "undefined"},
    {"nullable", "false"},
    {"x-kubernetes-embedded-resource", "false"},
    {"x-kubernetes-int-or-string", "false"},
    {"x-kubernetes-preserve-unknown-fields", "false"},
    {"x-kubernetes-list-map-keys", "empty"},
    {"x-kubernetes-list-type", "undefined"},
    {"x-kubernetes-map-type", "undefined"},
    {"x-kubernetes-validations", "empty"},
};

std::string_view type_of(const Json& value) {
  if (value.is_number_integer()) return "integer";
  return value.is_number() ? "number" : value.type_name();
}

bool is_of(std::string_view type, const Json& value) {
  return type_of(value) == type || (type == "number" && value.is_number());
}

// Null when it is absent, JSON's null, or not of the type.
const Json* keyword(const Json& schema, const char* name, std::string_view type) {
  const auto it = schema.find(name);
  return it != schema.end() && is_of(type, *it) ? &*it : nullptr;
}

std::string text(const Json& schema, const char* name) {
  const Json* found = keyword(schema, name, "string");
  return found == nullptr ? "" : found->get<std::string>();
}

bool flag(const Json& schema, const char* name) {
  const Json* found = keyword(schema, name, "boolean");
  return found != nullptr && found->get<bool>();
}

// What is written but means the same as if it weren't.
bool is_set(const Json& schema, const char* name) {
  const auto it = schema.find(name);
  if (it == schema.end() || it->is_null() || *it == false) return false;
  if (it->is_string()) return !it->get_ref<const std::string&>().empty();
  return !it->is_structured() || !it->empty();
}

// The one way to say the types of an x-kubernetes-int-or-string.
bool is_int_or_string(const Json& schema) {
  static const Json types = Json::array({{{"type", "integer"}}, {{"type", "string"}}});
  const Json* any = schema.is_object() ? keyword(schema, "anyOf", "array") : nullptr;
  return any != nullptr && *any == types;
}

class SchemaRules {
 public:
  std::vector<FieldError> errors;

  // Where a schema is decides what it has to say.
  enum class Place { kRoot, kItem, kField };

  void check(const Json& schema, const std::string& path, Place place) {
    if (!check_keywords(schema, path)) return;
    check_place(schema, path, place);
    check_list(schema, path);
    check_map(schema, path);
    for_each_property(schema, path, [&](const Json& property, const std::string& at) {
      check(property, at, Place::kField);
    });
    if (const Json* items = items_of(schema)) check(*items, path + ".items", Place::kItem);
    if (const Json* more = child(schema, "additionalProperties"); more && !more->is_boolean()) {
      check(*more, path + ".additionalProperties", Place::kField);
    }
    const Json* all = keyword(schema, "allOf", "array");
    const Json* first = all == nullptr || all->empty() ? nullptr : &all->front();
    for_each_part(schema, path, is_int_or_string(schema),
                  [&](const Json& part, const std::string& at) {
                    check_inside(part, at, &part == first && is_int_or_string(part));
                  });
  }

 private:
  // `has_types`: its anyOf are the types of an int-or-string.
  void check_inside(const Json& schema, const std::string& path, bool has_types) {
    if (!check_keywords(schema, path)) return;
    for (const auto& [name, instead] : kForbiddenInside) {
      if (!is_set(schema, name)) continue;
      forbid(fmt::format("{}.{}", path, name), fmt::format("must be {} to be structural", instead));
    }
    for_each_property(schema, path, [&](const Json& property, const std::string& at) {
      check_inside(property, at, false);
    });
    if (const Json* items = items_of(schema)) check_inside(*items, path + ".items", false);
    for_each_part(schema, path, has_types,
                  [&](const Json& part, const std::string& at) { check_inside(part, at, false); });
  }

  // What holds for every schema. False when it is none.
  bool check_keywords(const Json& schema, const std::string& path) {
    if (errors.size() >= kErrorsMax) return false;
    if (!schema.is_object()) {
      add(wrong_type(path, "object", schema));
      return false;
    }
    check_types(schema, path);
    check_items(schema, path);
    check_additional(schema, path);
    check_pattern(schema, path);
    check_choice(schema, "type", path,
                 {"array", "boolean", "integer", "number", "object", "string"});
    for (const char* name : kUnsupported) {
      if (!is_set(schema, name)) continue;
      forbid(fmt::format("{}.{}", path, name), fmt::format("{} is not supported", name));
    }
    if (flag(schema, "uniqueItems")) {
      forbid(path + ".uniqueItems",
             "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
    }
    constexpr const char* kPreserve = "x-kubernetes-preserve-unknown-fields";
    if (const Json* preserve = keyword(schema, kPreserve, "boolean");
        preserve && *preserve == false) {
      add(invalid_value(fmt::format("{}.{}", path, kPreserve), *preserve,
                        "must be true or undefined"));
    }
    return true;
  }

  void check_types(const Json& schema, const std::string& path) {
    for (const auto& [name, type] : kKeywords) {
      const auto it = schema.find(name);
      if (it == schema.end() || it->is_null() || is_of(type, *it)) continue;
      add(wrong_type(fmt::format("{}.{}", path, name), type, *it));
    }
    for (const char* name : {"required", "x-kubernetes-list-map-keys"}) {
      const Json* list = keyword(schema, name, "array");
      for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
        if ((*list)[i].is_string()) continue;
        add(wrong_type(fmt::format("{}.{}[{}]", path, name, i), "string", (*list)[i]));
      }
    }
  }

  void check_items(const Json& schema, const std::string& path) {
    const Json* items = child(schema, "items");
    if (items == nullptr || !items->is_array()) return;
    forbid(path + ".items", "items must be a schema object and not an array");
  }

  void check_additional(const Json& schema, const std::string& path) {
    const Json* additional = child(schema, "additionalProperties");
    const Json* properties = keyword(schema, "properties", "object");
    if (additional == nullptr || properties == nullptr || properties->empty()) return;
    if (*additional == true) return;
    forbid(path + ".additionalProperties",
           "additionalProperties and properties are mutual exclusive");
  }

  void check_pattern(const Json& schema, const std::string& path) {
    const std::string pattern = text(schema, "pattern");
    if (pattern.empty()) return;
    const re2::RE2 compiled(pattern, re2::RE2::Quiet);
    // Go's engine has other limits: what is only too large for ours passes.
    if (compiled.ok() || compiled.error_code() == re2::RE2::ErrorPatternTooLarge) return;
    add(invalid_value(path + ".pattern", pattern,
                      fmt::format("must be a valid regular expression, but isn't: {}",
                                  base::beginning_of(compiled.error(), kShownBytesMax))));
  }

  void check_choice(const Json& schema, const char* name, const std::string& path,
                    std::initializer_list<std::string_view> supported) {
    const std::string value = text(schema, name);
    if (value.empty() || std::ranges::find(supported, value) != supported.end()) return;
    std::string all;
    for (const std::string_view option : supported) {
      all += fmt::format("{}\"{}\"", all.empty() ? "" : ", ", option);
    }
    add({fmt::format("{}.{}", path, name), "FieldValueNotSupported",
         fmt::format("Unsupported value: {}: supported values: {}",
                     base::beginning_of(base::dump_json(value), kShownBytesMax), all)});
  }

  void check_place(const Json& schema, const std::string& path, Place place) {
    const std::string type = text(schema, "type");
    const std::string at = path + ".type";
    if (flag(schema, "x-kubernetes-embedded-resource") && type != "object") {
      need_type(schema, path, "must be object if x-kubernetes-embedded-resource is true");
    } else if (!is_set(schema, "type") && !flag(schema, "x-kubernetes-int-or-string") &&
               !flag(schema, "x-kubernetes-preserve-unknown-fields")) {
      require(at, place == Place::kRoot   ? "must not be empty at the root"
                  : place == Place::kItem ? "must not be empty for specified array items"
                                          : "must not be empty for specified object fields");
    }
    if (type == "array" && child(schema, "items") == nullptr) {
      require(path + ".items", "must be specified");
    }
    if (place != Place::kRoot) return;
    if (!type.empty() && type != "object") {
      add(invalid_value(at, type, "must be object at the root"));
    }
    if (flag(schema, "nullable")) forbid(path + ".nullable", "nullable cannot be true at the root");
    if (child(schema, "additionalProperties") != nullptr) {
      forbid(path + ".additionalProperties", "must not be used at the root");
    }
  }

  void check_map(const Json& schema, const std::string& path) {
    check_choice(schema, "x-kubernetes-map-type", path, {"atomic", "granular"});
    if (!is_set(schema, "x-kubernetes-map-type") || text(schema, "type") == "object") return;
    need_type(schema, path, "must be object if x-kubernetes-map-type is specified");
  }

  void check_list(const Json& schema, const std::string& path) {
    check_choice(schema, "x-kubernetes-list-type", path, {"atomic", "map", "set"});
    const std::string kind = text(schema, "x-kubernetes-list-type");
    if (!kind.empty() && text(schema, "type") != "array") {
      need_type(schema, path, "must be array if x-kubernetes-list-type is specified");
    }
    const Json* keys = keyword(schema, "x-kubernetes-list-map-keys", "array");
    const bool has_keys = keys != nullptr && !keys->empty();
    if (has_keys && kind != "map") {
      require(path + ".x-kubernetes-list-type",
              "must be map if x-kubernetes-list-map-keys is non-empty");
    } else if (kind == "map" && !has_keys) {
      require(path + ".x-kubernetes-list-map-keys",
              "must not be empty if x-kubernetes-list-type is map");
    } else if (has_keys) {
      check_keys(schema, *keys, path);
    }
  }

  void check_keys(const Json& schema, const Json& keys, const std::string& path) {
    const Json* items = items_of(schema);
    if (items == nullptr || !items->is_object()) return;  // told already
    const Json* required = keyword(*items, "required", "array");
    for (const Json& key : keys) {
      if (!key.is_string()) continue;
      const std::string name = key.get<std::string>();
      const Json* property = base::find(*items, {"properties", name});
      if (property == nullptr) {
        add(invalid_value(path + ".x-kubernetes-list-map-keys", keys,
                          "entries must all be names of item properties"));
      } else if (!property->contains("default") &&
                 (required == nullptr || std::ranges::find(*required, key) == required->end())) {
        require(fmt::format("{}.items.properties[{}].default", path, name),
                "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
                "required property");
      }
    }
  }

  // Null when there is none, and for a list of schemas, which is told.
  static const Json* items_of(const Json& schema) {
    const Json* items = child(schema, "items");
    return items == nullptr || items->is_array() ? nullptr : items;
  }

  // Null when it is absent. Of any type.
  static const Json* child(const Json& schema, const char* name) {
    const auto it = schema.find(name);
    return it == schema.end() || it->is_null() ? nullptr : &*it;
  }

  template <typename Visit>
  static void for_each_property(const Json& schema, const std::string& path, const Visit& visit) {
    const Json* properties = keyword(schema, "properties", "object");
    if (properties == nullptr) return;
    for (const auto& [name, property] : properties->items()) {
      visit(property, fmt::format("{}.properties[{}]", path, name));
    }
  }

  // The schemas that judge the same value.
  template <typename Visit>
  static void for_each_part(const Json& schema, const std::string& path, bool without_any,
                            const Visit& visit) {
    for (const char* name : {"allOf", "anyOf", "oneOf"}) {
      const Json* parts = keyword(schema, name, "array");
      if (parts == nullptr || (without_any && std::string_view(name) == "anyOf")) continue;
      for (std::size_t i = 0; i < parts->size(); ++i) {
        visit((*parts)[i], fmt::format("{}.{}[{}]", path, name, i));
      }
    }
    if (const Json* no = keyword(schema, "not", "object")) visit(*no, path + ".not");
  }

  void need_type(const Json& schema, const std::string& path, std::string_view why) {
    if (is_set(schema, "type")) {
      add(invalid_value(path + ".type", schema["type"], why));
    } else {
      require(path + ".type", why);
    }
  }

  void require(std::string path, std::string_view why) {
    add(required_value(std::move(path), why));
  }
  void forbid(std::string path, std::string_view why) {
    add({std::move(path), "FieldValueForbidden", fmt::format("Forbidden: {}", why)});
  }
  void add(FieldError error) {
    if (errors.size() < kErrorsMax) errors.push_back(std::move(error));
  }
};

}  // namespace

FieldError wrong_type(const std::string& path, std::string_view wanted, const Json& value) {
  return {path, "FieldValueTypeInvalid",
          fmt::format("Invalid value: \"{0}\": {1} in body must be of type {2}: \"{0}\"",
                      type_of(value), path, wanted)};
}

FieldError invalid_value(std::string path, const Json& value, std::string_view why) {
  return {std::move(path), "FieldValueInvalid",
          fmt::format("Invalid value: {}: {}",
                      base::beginning_of(base::dump_json(value), kShownBytesMax), why)};
}

FieldError required_value(std::string path, std::string_view why) {
  return {std::move(path), "FieldValueRequired",
          why.empty() ? "Required value" : fmt::format("Required value: {}", why)};
}

std::vector<FieldError> check_schema(const Json& schema, const std::string& path) {
  SchemaRules rules;
  rules.check(schema, path, SchemaRules::Place::kRoot);
  return std::move(rules.errors);
}

}  // namespace hearth::resource
