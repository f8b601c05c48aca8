#include "emulator/apiserver/field_check.h"

#include <algorithm>

#include <fmt/format.h>

#include "emulator/apiserver/protobuf_meta.h"
#include "emulator/apiserver/protobuf_schema.h"
#include "platform/base/bytes.h"

namespace hearth::apiserver {
namespace {

using protobuf::Field;
using protobuf::FieldKind;
using protobuf::Message;
using protobuf::Shape;

constexpr Message kMetadata = protobuf::kObjectMeta;

const Field* find_field(const Message& message, std::string_view name) {
  for (const Field& field : message) {
    if (field.shape == Shape::kInlined) {
      if (const Field* inner = find_field(field.message, name)) return inner;
    } else if (field.name == name) {
      return &field;
    }
  }
  return nullptr;
}

class Checker {
 public:
  explicit Checker(std::vector<std::string>& unknown) : unknown_(unknown) {}

  Status message(const Message& message, Json& object, const std::string& path) {
    if (!object.is_object()) return wrong(path, "a mapping", object);
    std::vector<std::string> dropped;
    for (auto& [name, value] : object.items()) {
      const std::string at = path.empty() ? name : fmt::format("{}.{}", path, name);
      if (const Field* known = find_field(message, name)) {
        HEARTH_CHECK_OK(field(*known, value, at));
      } else if (!path.empty() || (name != "apiVersion" && name != "kind")) {
        dropped.push_back(name);
        unknown_.push_back(at);
      }
    }
    for (const std::string& name : dropped) object.erase(name);
    return {};
  }

 private:
  Status field(const Field& field, Json& value, const std::string& path) {
    if (value.is_null()) return {};  // as if it weren't there
    if (field.shape == Shape::kList) {
      if (!value.is_array()) return wrong(path, "a list", value);
      for (std::size_t i = 0; i < value.size(); ++i) {
        HEARTH_CHECK_OK(one(field, value[i], fmt::format("{}[{}]", path, i)));
      }
      return {};
    }
    if (field.shape == Shape::kMap) {
      if (!value.is_object()) return wrong(path, "a mapping", value);
      for (auto& [key, item] : value.items()) {
        HEARTH_CHECK_OK(one(field, item, fmt::format("{}.{}", path, key)));
      }
      return {};
    }
    return one(field, value, path);
  }

  Status one(const Field& field, Json& value, const std::string& path) {
    if (value.is_null()) return {};
    switch (field.kind) {
      case FieldKind::kMessage:
        return message(field.message, value, path);
      case FieldKind::kString:
      case FieldKind::kTime:
      case FieldKind::kMicroTime:
        return value.is_string() ? Status() : wrong(path, "text", value);
      case FieldKind::kBool:
        return value.is_boolean() ? Status() : wrong(path, "true or false", value);
      case FieldKind::kInt:
        return value.is_number_integer() ? Status() : wrong(path, "an integer", value);
      case FieldKind::kIntOrString:
        return value.is_number_integer() || value.is_string()
                   ? Status()
                   : wrong(path, "an integer or text", value);
      case FieldKind::kQuantity:
        return value.is_number() || value.is_string() ? Status() : wrong(path, "a quantity", value);
      case FieldKind::kBytes:
        return value.is_string() && base::from_base64(value.get_ref<const std::string&>())
                   ? Status()
                   : wrong(path, "base64", value);
      case FieldKind::kRawJson:
        return {};
    }
    return {};
  }

  static Status wrong(const std::string& path, std::string_view expected, const Json& value) {
    constexpr std::size_t kShownBytes = 64;
    std::string shown = value.is_structured() ? value.type_name() : base::dump_json(value);
    if (shown.size() > kShownBytes) shown = value.type_name();
    return fail(Code::kBadRequest, fmt::format("{}: expected {}, not {}", path, expected, shown));
  }

  std::vector<std::string>& unknown_;
};

}  // namespace

Status check_fields(const resource::Type& type, Json& object, std::vector<std::string>& unknown) {
  Checker checker(unknown);
  const Message* known = protobuf::find_kind(type.api_version(), type.kind);
  if (known != nullptr) return checker.message(*known, object, "");
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return {};
  return checker.message(kMetadata, *metadata, "metadata");
}

}  // namespace hearth::apiserver
