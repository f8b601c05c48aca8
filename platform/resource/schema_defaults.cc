#include <fmt/format.h>

#include "platform/resource/schema.h"
#include "platform/resource/schema_keywords.h"

namespace hearth::resource {
namespace {

// Defaults within defaults multiply: a schema of a few lines can stand for gigabytes. As much as
// etcd takes of one object.
constexpr std::size_t kFilledBytesMax = 1536 * 1024;
constexpr std::size_t kNodeBytes = 16;
// Properties that are looked at: all of a schema's, for each object that it describes.
constexpr std::size_t kStepsMax = 10'000'000;

class Filler {
 public:
  // False when a budget is spent.
  bool fill(const Json& schema, Json& value) {
    if (!schema.is_object() || !value.is_structured()) return steps_.take(1);
    if (value.is_object()) return fill_properties(schema, value) && fill_others(schema, value);
    const Json* items = keyword(schema, "items", Json::value_t::object);
    if (items == nullptr) return true;
    for (Json& item : value) {
      if (!fill(*items, item)) return false;
    }
    return true;
  }

  std::string spent_on() const {
    if (bytes_.spent()) {
      return fmt::format("the defaults of its schema would add more than {} bytes",
                         kFilledBytesMax);
    }
    return "it has too many objects for a schema of so many properties";
  }

 private:
  bool fill_properties(const Json& schema, Json& value) {
    const Json* properties = keyword(schema, "properties", Json::value_t::object);
    if (properties == nullptr) return true;
    for (const auto& [name, field] : properties->items()) {
      if (!steps_.take(1)) return false;
      auto it = value.find(name);
      if (it == value.end() || (it->is_null() && !flag(field, "nullable"))) {
        const auto fallback = field.find("default");
        if (fallback == field.end()) continue;
        if (!bytes_.take(name.size()) || !take_bytes(*fallback)) return false;
        if (it == value.end()) it = value.emplace(name, nullptr).first;
        *it = *fallback;
      }
      if (!fill(field, *it)) return false;
    }
    return true;
  }

  bool fill_others(const Json& schema, Json& value) {
    const Json* additional = keyword(schema, "additionalProperties", Json::value_t::object);
    if (additional == nullptr) return true;
    const Json* properties = keyword(schema, "properties", Json::value_t::object);
    for (auto& [name, item] : value.items()) {
      if (properties != nullptr && properties->contains(name)) continue;
      if (!fill(*additional, item)) return false;
    }
    return true;
  }

  // What a copy will hold, before there is one.
  bool take_bytes(const Json& value) {
    if (!bytes_.take(kNodeBytes)) return false;
    if (value.is_string()) return bytes_.take(value.get_ref<const std::string&>().size());
    if (value.is_array()) {
      for (const Json& item : value) {
        if (!take_bytes(item)) return false;
      }
    }
    if (!value.is_object()) return true;
    for (const auto& [name, item] : value.items()) {
      if (!bytes_.take(name.size()) || !take_bytes(item)) return false;
    }
    return true;
  }

  Budget bytes_{kFilledBytesMax};
  Budget steps_{kStepsMax};
};

}  // namespace

Status apply_defaults(const Json& schema, Json& value) {
  Filler filler;
  if (filler.fill(schema, value)) return {};
  return fail(Code::kTooLarge, filler.spent_on());
}

}  // namespace hearth::resource
