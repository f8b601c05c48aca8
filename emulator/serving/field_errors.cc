#include "emulator/serving/field_errors.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "platform/base/beginning.h"

namespace hearth::serving {
namespace {

// Nobody mends more at once, and an answer has to stay small.
constexpr std::size_t kErrorsMax = 50;
constexpr std::size_t kShownBytesMax = 100;

const Json* member(const Json& parent, const char* name) {
  const Json* found = base::find(parent, {name});
  return found == nullptr || found->is_null() ? nullptr : found;
}

// The paths of those of `names` that are members, separated by commas, and how many there are.
std::pair<std::string, std::size_t> members_of(const Json& object,
                                               std::initializer_list<const char*> names,
                                               const std::string& path) {
  std::string paths;
  std::size_t count = 0;
  for (const char* name : names) {
    if (member(object, name) == nullptr) continue;
    paths += fmt::format("{}{}.{}", count == 0 ? "" : ", ", path, name);
    ++count;
  }
  return {std::move(paths), count};
}

}  // namespace

std::string shown_bare(std::string_view text) { return base::beginning_of(text, kShownBytesMax); }

std::string shown(const Json& value) {
  if (value.is_structured()) return fmt::format("an {}", value.type_name());
  return shown_bare(base::dump_json(value));
}

void FieldErrors::add(std::string path, std::string_view problem, const char* reason,
                      std::string_view paths) {
  if (errors_.size() >= kErrorsMax) return;
  std::string message = fmt::format("{}: {}", problem, paths.empty() ? path : paths);
  errors_.push_back({std::move(path), reason, std::move(message)});
}

void FieldErrors::missing(std::string path) {
  add(std::move(path), "missing field(s)", "FieldValueRequired");
}

void FieldErrors::invalid(std::string path, std::string_view value, std::string_view why) {
  add(std::move(path), why.empty() ? fmt::format("invalid value: {}", shown_bare(value))
                                   : fmt::format("invalid value: {} ({})", shown_bare(value), why));
}

void FieldErrors::out_of_bounds(std::string path, std::string_view min, std::string_view value,
                                std::string_view max) {
  add(std::move(path), fmt::format("expected {} <= {} <= {}", min, shown_bare(value), max));
}

void FieldErrors::refuse_others(const Json& object, std::initializer_list<std::string_view> allowed,
                                const std::string& path) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_null() || std::ranges::find(allowed, key) != allowed.end()) continue;
    add(fmt::format("{}.{}", path, key), "must not set the field(s)", "FieldValueForbidden");
  }
}

void FieldErrors::at_most_one(const Json& object, std::initializer_list<const char*> names,
                              const std::string& path) {
  const auto [paths, count] = members_of(object, names, path);
  if (count > 1) add(path, "expected exactly one, got both", "FieldValueInvalid", paths);
}

void FieldErrors::exactly_one(const Json& object, std::initializer_list<const char*> names,
                              const std::string& path) {
  at_most_one(object, names, path);
  if (members_of(object, names, path).second > 0) return;
  std::string all;
  for (const char* name : names) {
    all += fmt::format("{}{}.{}", all.empty() ? "" : ", ", path, name);
  }
  add(path, "expected exactly one, got neither", "FieldValueRequired", all);
}

const Json* FieldErrors::typed(const Json& parent, const char* name, const std::string& path,
                               bool (*fits)(const Json&), std::string_view wanted) {
  const Json* found = member(parent, name);
  if (found == nullptr || fits(*found)) return found;
  add(path, fmt::format("invalid value: {} is not {}", shown(*found), wanted),
      "FieldValueTypeInvalid");
  return nullptr;
}

const Json* FieldErrors::object_in(const Json& parent, const char* name, const std::string& path) {
  return typed(parent, name, path, [](const Json& v) { return v.is_object(); }, "an object");
}

const Json* FieldErrors::list_in(const Json& parent, const char* name, const std::string& path) {
  return typed(parent, name, path, [](const Json& v) { return v.is_array(); }, "a list");
}

std::optional<std::string> FieldErrors::text_in(const Json& parent, const char* name,
                                                const std::string& path) {
  const Json* found = typed(
      parent, name, path, [](const Json& v) { return v.is_string(); },
      "text (numbers and booleans need quotes)");
  return found == nullptr ? std::nullopt : std::optional(found->get<std::string>());
}

std::optional<bool> FieldErrors::bool_in(const Json& parent, const char* name,
                                         const std::string& path) {
  const Json* found =
      typed(parent, name, path, [](const Json& v) { return v.is_boolean(); }, "true or false");
  return found == nullptr ? std::nullopt : std::optional(found->get<bool>());
}

std::optional<std::int64_t> FieldErrors::integer_in(const Json& parent, const char* name,
                                                    const std::string& path, std::int64_t min,
                                                    std::int64_t max) {
  const Json* found =
      typed(parent, name, path, [](const Json& v) { return v.is_number_integer(); }, "an integer");
  if (found == nullptr) return std::nullopt;
  // Above the range of int64 the number would become another.
  const bool huge =
      found->is_number_unsigned() && std::cmp_greater(found->get<std::uint64_t>(), max);
  const auto value = huge ? max : found->get<std::int64_t>();
  if (!huge && value >= min && value <= max) return value;
  add(path, fmt::format("expected {} <= {} <= {}", min, shown(*found), max));
  return std::nullopt;
}

std::string FieldErrors::required_text_in(const Json& parent, const char* name,
                                          const std::string& path) {
  const auto text = text_in(parent, name, path);
  if (member(parent, name) == nullptr || (text && text->empty())) missing(path);
  return text.value_or("");
}

std::vector<std::pair<const Json*, std::string>> FieldErrors::objects_of(const Json* list,
                                                                         const std::string& path) {
  std::vector<std::pair<const Json*, std::string>> out;
  if (list == nullptr) return out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    std::string at = fmt::format("{}[{}]", path, i);
    const Json& item = (*list)[i];
    if (item.is_object()) {
      out.emplace_back(&item, std::move(at));
    } else {
      add(std::move(at), fmt::format("invalid value: {} is not an object", shown(item)),
          "FieldValueTypeInvalid");
    }
  }
  return out;
}

}  // namespace hearth::serving
