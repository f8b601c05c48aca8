#include "platform/resource/schema.h"

#include <cmath>
#include <map>
#include <mutex>

#include <fmt/format.h>
#include <re2/re2.h>

#include "platform/base/text.h"
#include "platform/resource/formats.h"

namespace hearth::resource {
namespace {

bool flag(const Json& schema, const char* name) {
  const auto it = schema.find(name);
  return it != schema.end() && it->is_boolean() && it->get<bool>();
}

const Json* child(const Json& schema, const char* name) {
  const auto it = schema.find(name);
  return it == schema.end() ? nullptr : &*it;
}

std::string join_path(const std::string& path, const std::string& step) {
  return path.empty() ? step : path + "." + step;
}

std::string type_name(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "object";
    case Json::value_t::array:
      return "array";
    case Json::value_t::string:
      return "string";
    case Json::value_t::boolean:
      return "boolean";
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return "integer";
    case Json::value_t::number_float:
      return "number";
    default:
      return "null";
  }
}

bool type_fits(const std::string& wanted, const Json& value) {
  const std::string actual = type_name(value);
  if (actual == wanted) return true;
  if (wanted == "number" && actual == "integer") return true;
  // 3.0 is an integer for JSON Schema; 1e300 is none that anything could hold.
  if (wanted != "integer" || actual != "number") return false;
  const double number = value.get<double>();
  return std::abs(number) < 9.2e18 && std::trunc(number) == number;
}

// RE2 is the engine that the patterns of Kubernetes' schemas are written for; its time is linear in
// the text, whatever the pattern.
class PatternCache {
 public:
  bool matches(const std::string& pattern, const std::string& text) {
    const std::lock_guard lock(mutex_);
    if (compiled_.size() >= kPatternsMax && !compiled_.contains(pattern)) compiled_.clear();
    auto& compiled = compiled_[pattern];
    if (!compiled) compiled = std::make_unique<re2::RE2>(pattern, re2::RE2::Quiet);
    // A pattern that does not compile can't judge: it passes (the CRD was stored with it).
    return !compiled->ok() || re2::RE2::PartialMatch(text, *compiled);
  }

 private:
  static constexpr std::size_t kPatternsMax = 1'000;  // users bring schemas without end

  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<re2::RE2>> compiled_;
};

bool pattern_matches(const std::string& pattern, const std::string& text) {
  static PatternCache cache;
  return cache.matches(pattern, text);
}

std::size_t utf8_length(const std::string& text) {
  std::size_t length = 0;
  for (const char c : text) length += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  return length;
}

class Validator {
 public:
  std::vector<FieldError> errors;

  void check(const Json& schema, const Json& value, const std::string& path) {
    if (errors.size() > 50) return;
    if (!schema.is_object()) return;
    if (value.is_null()) {
      const Json* type = child(schema, "type");
      const bool typed = type != nullptr && type->is_string();
      if (typed && !flag(schema, "nullable")) type_error(schema, value, path);
      return;
    }
    if (!check_type(schema, value, path)) return;
    check_enum(schema, value, path);
    if (value.is_string()) check_string(schema, value.get_ref<const std::string&>(), path);
    if (value.is_number()) check_number(schema, value, path);
    if (value.is_array()) check_array(schema, value, path);
    if (value.is_object()) check_object(schema, value, path);
    check_combinations(schema, value, path);
  }

 private:
  void add(const std::string& path, std::string reason, std::string message) {
    errors.push_back({path, std::move(reason), std::move(message)});
  }

  void type_error(const Json& schema, const Json& value, const std::string& path) {
    add(path, "FieldValueTypeInvalid",
        fmt::format("Invalid value: \"{}\": {} in body must be of type {}: \"{}\"",
                    type_name(value), path, base::string_at(schema, {"type"}), type_name(value)));
  }

  bool check_type(const Json& schema, const Json& value, const std::string& path) {
    if (flag(schema, "x-kubernetes-int-or-string")) {
      if (value.is_string() || value.is_number_integer()) return true;
      add(path, "FieldValueTypeInvalid", "Invalid value: must be an integer or a string");
      return false;
    }
    const Json* type = child(schema, "type");
    if (type == nullptr || !type->is_string() || type_fits(type->get<std::string>(), value)) {
      return true;
    }
    type_error(schema, value, path);
    return false;
  }

  void check_enum(const Json& schema, const Json& value, const std::string& path) {
    const Json* allowed = child(schema, "enum");
    // An empty one is none, as to an API server.
    if (allowed == nullptr || !allowed->is_array() || allowed->empty()) return;
    std::vector<std::string> texts;
    for (const Json& option : *allowed) {
      if (option == value) return;
      texts.push_back(option.dump());
    }
    std::string message = fmt::format("Unsupported value: {}: supported values: {}", value.dump(),
                                      base::join(texts, ", "));
    if (const auto near = base::nearest(value.dump(), texts)) {
      message += fmt::format(" (did you mean {}?)", *near);
    }
    add(path, "FieldValueNotSupported", std::move(message));
  }

  void check_string(const Json& schema, const std::string& text, const std::string& path) {
    const std::size_t length = utf8_length(text);
    if (const auto max = base::int_at(schema, {"maxLength"});
        max && length > static_cast<std::size_t>(*max)) {
      add(path, "FieldValueTooLong", fmt::format("Too long: may not be longer than {}", *max));
    }
    if (const auto min = base::int_at(schema, {"minLength"});
        min && length < static_cast<std::size_t>(*min)) {
      add(path, "FieldValueInvalid",
          fmt::format("Invalid value: \"{}\": {} in body should be at least {} chars long", text,
                      path, *min));
    }
    const std::string format = base::string_at(schema, {"format"});
    if (!format.empty() && !format_fits(format, text)) {
      add(path, "FieldValueInvalid",
          fmt::format("Invalid value: {}: {} in body must be of type {}",
                      base::dump_json(text.substr(0, 128)), path, format));
    }
    const Json* pattern = child(schema, "pattern");
    if (pattern != nullptr && pattern->is_string() &&
        !pattern_matches(pattern->get<std::string>(), text)) {
      add(path, "FieldValueInvalid",
          fmt::format("Invalid value: {}: {} in body should match '{}'",
                      base::dump_json(text.substr(0, 128)), path, pattern->get<std::string>()));
    }
  }

  void check_number(const Json& schema, const Json& value, const std::string& path) {
    const double number = value.get<double>();
    const Json* min = child(schema, "minimum");
    if (min != nullptr && min->is_number() && number < min->get<double>()) {
      add(path, "FieldValueInvalid",
          fmt::format("Invalid value: {}: {} in body should be greater than or equal to {}",
                      value.dump(), path, min->dump()));
    }
    const Json* max = child(schema, "maximum");
    if (max != nullptr && max->is_number() && number > max->get<double>()) {
      add(path, "FieldValueInvalid",
          fmt::format("Invalid value: {}: {} in body should be less than or equal to {}",
                      value.dump(), path, max->dump()));
    }
  }

  void check_array(const Json& schema, const Json& value, const std::string& path) {
    if (const auto max = base::int_at(schema, {"maxItems"});
        max && value.size() > static_cast<std::size_t>(*max)) {
      add(path, "FieldValueTooMany",
          fmt::format("Too many: {}: must have at most {} items", value.size(), *max));
    }
    if (const auto min = base::int_at(schema, {"minItems"});
        min && value.size() < static_cast<std::size_t>(*min)) {
      add(path, "FieldValueInvalid",
          fmt::format("Invalid value: {}: must have at least {} items", value.size(), *min));
    }
    const Json* items = child(schema, "items");
    if (items == nullptr) return;
    for (std::size_t i = 0; i < value.size(); ++i) {
      check(*items, value[i], fmt::format("{}[{}]", path, i));
    }
  }

  void check_object(const Json& schema, const Json& value, const std::string& path) {
    if (const Json* required = child(schema, "required"); required != nullptr) {
      for (const Json& name : *required) {
        if (name.is_string() && !value.contains(name.get<std::string>())) {
          add(join_path(path, name.get<std::string>()), "FieldValueRequired", "Required value");
        }
      }
    }
    const Json* properties = child(schema, "properties");
    const Json* additional = child(schema, "additionalProperties");
    for (const auto& [name, item] : value.items()) {
      const Json* field = properties != nullptr ? base::find(*properties, {name}) : nullptr;
      if (field != nullptr) {
        check(*field, item, join_path(path, name));
      } else if (additional != nullptr && additional->is_object()) {
        check(*additional, item, join_path(path, name));
      }
    }
  }

  bool passes(const Json& schema, const Json& value) {
    Validator other;
    other.check(schema, value, "");
    return other.errors.empty();
  }

  void check_combinations(const Json& schema, const Json& value, const std::string& path) {
    if (const Json* all = child(schema, "allOf"); all != nullptr) {
      for (const Json& part : *all) check(part, value, path);
    }
    const auto count_passing = [&](const Json& parts) {
      std::size_t count = 0;
      for (const Json& part : parts) count += passes(part, value) ? 1 : 0;
      return count;
    };
    if (const Json* any = child(schema, "anyOf"); any != nullptr && count_passing(*any) == 0) {
      add(path, "FieldValueInvalid", "Invalid value: must validate at least one schema (anyOf)");
    }
    if (const Json* one = child(schema, "oneOf"); one != nullptr && count_passing(*one) != 1) {
      add(path, "FieldValueInvalid",
          "Invalid value: must validate one and only one schema (oneOf)");
    }
    if (const Json* no = child(schema, "not"); no != nullptr && passes(*no, value)) {
      add(path, "FieldValueInvalid",
          fmt::format("Invalid value: {}: must not validate the schema (not)",
                      base::dump_json(value).substr(0, 128)));
    }
  }
};

void prune(const Json& schema, Json& value, const std::string& path,
           std::vector<std::string>& unknown, bool top) {
  if (!schema.is_object()) return;
  if (value.is_array()) {
    const Json* items = child(schema, "items");
    if (items == nullptr) return;
    for (std::size_t i = 0; i < value.size(); ++i) {
      prune(*items, value[i], fmt::format("{}[{}]", path, i), unknown, false);
    }
    return;
  }
  if (!value.is_object()) return;
  const bool open = flag(schema, "x-kubernetes-preserve-unknown-fields") ||
                    (!schema.contains("properties") && !schema.contains("additionalProperties") &&
                     !schema.contains("type"));
  const Json* properties = child(schema, "properties");
  const Json* additional = child(schema, "additionalProperties");
  std::vector<std::string> doomed;
  for (const auto& [name, item] : value.items()) {
    if (top && (name == "apiVersion" || name == "kind" || name == "metadata")) continue;
    const Json* field = properties != nullptr ? base::find(*properties, {name}) : nullptr;
    if (field != nullptr) {
      prune(*field, item, join_path(path, name), unknown, false);
    } else if (additional != nullptr && additional->is_object()) {
      prune(*additional, item, join_path(path, name), unknown, false);
    } else if (!open && !(additional != nullptr && *additional == true)) {
      doomed.push_back(name);
    }
  }
  for (const std::string& name : doomed) {
    unknown.push_back(join_path(path, name));
    value.erase(name);
  }
}

}  // namespace

void apply_defaults(const Json& schema, Json& value) {
  if (!schema.is_object()) return;
  if (value.is_array()) {
    if (const Json* items = child(schema, "items"); items != nullptr) {
      for (Json& item : value) apply_defaults(*items, item);
    }
    return;
  }
  if (!value.is_object()) return;
  if (const Json* properties = child(schema, "properties"); properties != nullptr) {
    for (const auto& [name, field] : properties->items()) {
      const auto it = value.find(name);
      if (it == value.end() || (it->is_null() && !flag(field, "nullable"))) {
        if (field.is_object() && field.contains("default")) value[name] = field["default"];
      }
      if (value.contains(name)) apply_defaults(field, value[name]);
    }
  }
  if (const Json* additional = child(schema, "additionalProperties");
      additional != nullptr && additional->is_object()) {
    for (auto& [name, item] : value.items()) {
      if (child(schema, "properties") == nullptr || !schema["properties"].contains(name)) {
        apply_defaults(*additional, item);
      }
    }
  }
}

std::vector<std::string> prune_unknown(const Json& schema, Json& value) {
  std::vector<std::string> unknown;
  prune(schema, value, "", unknown, true);
  return unknown;
}

std::vector<FieldError> validate(const Json& schema, const Json& value) {
  Validator validator;
  validator.check(schema, value, "");
  return std::move(validator.errors);
}

Error invalid_object(std::string_view kind, std::string_view name, std::vector<FieldError> fields) {
  std::vector<std::string> texts;
  texts.reserve(fields.size());
  for (const FieldError& field : fields) texts.push_back(field.field + ": " + field.message);
  const std::string all = base::join(texts, ", ");
  return Error{Code::kInvalid,
               fmt::format("{} \"{}\" is invalid: {}", kind, name,
                           fields.size() > 1 ? "[" + all + "]" : all),
               std::move(fields)};
}

}  // namespace hearth::resource
