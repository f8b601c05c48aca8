#include "platform/base/json.h"

#include <algorithm>
#include <utility>

#include "platform/base/beginning.h"
#include "platform/base/limits.h"

namespace hearth::base {
namespace {

constexpr std::size_t kMessageBytesMax = 300;

// nlohmann's DOM destructor and dump recurse; depth is checked on the text before a DOM exists.
bool too_deep(std::string_view text, std::size_t depth_max) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') {
      if (++depth > depth_max) return true;
    }
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return false;
}

}  // namespace

Result<Json> parse_json(std::string_view text) { return parse_json(text, limits::kJsonDepthMax); }

Result<Json> parse_json(std::string_view text, std::size_t depth_max) {
  if (too_deep(text, depth_max)) return fail(Code::kBadRequest, "JSON is nested too deeply");
  // The library takes it for the end of the text and would not look at what follows.
  if (text.contains('\0')) return fail(Code::kBadRequest, "invalid JSON: a NUL character");
  try {
    return Json::parse(text);
  } catch (const Json::exception& e) {
    std::string message = e.what();
    // "[json.exception.parse_error.101] parse error at line 1, …": the bracket is the library's.
    if (const auto end = message.find("] "); end != std::string::npos) message.erase(0, end + 2);
    // It shows the text's last token, which may be all of it.
    return fail(Code::kBadRequest, "invalid JSON: " + beginning_of(message, kMessageBytesMax));
  }
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string dump_json_pretty(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::size_t depth_of(const Json& value) {
  if (!value.is_structured()) return 0;
  std::size_t deepest = 0;
  for (const Json& item : value) deepest = std::max(deepest, depth_of(item));
  return deepest + 1;
}

const Json* find(const Json& value, std::initializer_list<std::string_view> path) {
  const Json* at = &value;
  for (const std::string_view step : path) {
    if (!at->is_object()) return nullptr;
    const auto it = at->find(step);
    if (it == at->end()) return nullptr;
    at = &*it;
  }
  return at;
}

std::string string_at(const Json& value, std::initializer_list<std::string_view> path,
                      std::string_view fallback) {
  const Json* at = find(value, path);
  return at != nullptr && at->is_string() ? at->get<std::string>() : std::string(fallback);
}

std::optional<std::int64_t> int_at(const Json& value,
                                   std::initializer_list<std::string_view> path) {
  const Json* at = find(value, path);
  if (at == nullptr || !at->is_number_integer()) return std::nullopt;
  if (at->is_number_unsigned() && !std::in_range<std::int64_t>(at->get<std::uint64_t>())) {
    return std::nullopt;
  }
  return at->get<std::int64_t>();
}

std::optional<bool> bool_at(const Json& value, std::initializer_list<std::string_view> path) {
  const Json* at = find(value, path);
  if (at == nullptr || !at->is_boolean()) return std::nullopt;
  return at->get<bool>();
}

}  // namespace hearth::base
