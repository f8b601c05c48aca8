#include "platform/event/json_member.h"

#include <algorithm>
#include <string>

#include "platform/base/json.h"

namespace hearth::event {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::size_t skip_space(std::string_view text, std::size_t at) {
  const auto next = text.find_first_not_of(kSpace, at);
  return next == text.npos ? text.size() : next;
}

// `at` is the opening quote; returns the place behind the closing one.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

std::size_t skip_value(std::string_view text, std::size_t at) {
  int depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (depth == 0) return at;
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}' || c == ']' || kSpace.contains(c))) return at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at + 1;
    ++at;
  }
  return at;
}

// `key` stands between quotes; it may be written with escapes.
bool names(std::string_view key, std::string_view name) {
  if (!key.contains('\\')) return key == name;
  const auto text = base::parse_json("\"" + std::string(key) + "\"");
  return text && *text == Json(name);
}

}  // namespace

std::string_view top_level_member(std::string_view text, std::string_view name) {
  std::string_view found;
  std::size_t at = skip_space(text, skip_space(text, 0) + 1);
  while (at < text.size() && text[at] == '"') {
    const std::size_t key_end = skip_string(text, at);
    const std::string_view key = text.substr(at + 1, key_end - at - 2);
    const std::size_t value_at = skip_space(text, skip_space(text, key_end) + 1);
    const std::size_t value_end = skip_value(text, value_at);
    if (names(key, name)) found = text.substr(value_at, value_end - value_at);
    at = skip_space(text, value_end);
    if (at < text.size() && text[at] == ',') at = skip_space(text, at + 1);
  }
  return found;
}

std::optional<std::vector<std::string_view>> array_items(std::string_view text,
                                                         std::size_t items_max) {
  std::vector<std::string_view> items;
  std::size_t at = skip_space(text, 0);
  if (at >= text.size() || text[at] != '[') return std::nullopt;
  at = skip_space(text, at + 1);
  bool more = at < text.size() && text[at] != ']';
  while (more) {
    if (items.size() == items_max) return std::nullopt;
    const std::size_t end = std::min(skip_value(text, at), text.size());
    items.push_back(text.substr(at, end - at));
    at = skip_space(text, end);
    more = at < text.size() && text[at] == ',';
    if (more) at = skip_space(text, at + 1);
  }
  if (at >= text.size() || text[at] != ']') return std::nullopt;
  if (skip_space(text, at + 1) != text.size()) return std::nullopt;
  return items;
}

}  // namespace hearth::event
