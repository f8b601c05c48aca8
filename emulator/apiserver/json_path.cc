#include "emulator/apiserver/json_path.h"

#include "platform/base/text.h"

namespace hearth::apiserver {
namespace {

// "type=='Ready'" behind "@.": the element whose field has that value.
const Json* filtered(const Json& list, std::string_view expression) {
  const auto at = expression.find("==");
  if (!expression.starts_with("@.") || at == expression.npos || !list.is_array()) return nullptr;
  const std::string_view field = base::trim(expression.substr(2, at - 2));
  std::string_view value = base::trim(expression.substr(at + 2));
  if (value.size() >= 2) value = value.substr(1, value.size() - 2);
  for (const Json& item : list) {
    if (base::string_at(item, {field}) == value) return &item;
  }
  return nullptr;
}

const Json* bracket(const Json& at, std::string_view inside) {
  if (inside.starts_with("?(") && inside.ends_with(')')) {
    return filtered(at, inside.substr(2, inside.size() - 3));
  }
  if (inside.size() >= 2 && (inside.front() == '\'' || inside.front() == '"')) {
    return base::find(at, {inside.substr(1, inside.size() - 2)});
  }
  if (!at.is_array() || at.empty()) return nullptr;
  if (inside == "*") return &at[0];
  const auto index = base::parse_int<std::size_t>(inside);
  return index && *index < at.size() ? &at[*index] : nullptr;
}

// The next name; "\." is a dot that belongs to it.
std::string eat_name(std::string_view& path) {
  std::string name;
  while (!path.empty() && path.front() != '.' && path.front() != '[') {
    if (path.front() == '\\' && path.size() > 1) path.remove_prefix(1);
    name.push_back(path.front());
    path.remove_prefix(1);
  }
  return name;
}

}  // namespace

const Json* evaluate_json_path(const Json& root, std::string_view path) {
  const Json* at = &root;
  while (!path.empty() && at != nullptr) {
    if (path.front() == '[') {
      const auto end = path.find(']');
      if (end == path.npos) return nullptr;
      at = bracket(*at, path.substr(1, end - 1));
      path.remove_prefix(end + 1);
      continue;
    }
    if (path.front() == '.') path.remove_prefix(1);
    const std::string name = eat_name(path);
    if (name.empty()) continue;
    at = base::find(*at, {name});
  }
  return at;
}

}  // namespace hearth::apiserver
