// JSON for specs, API and configuration. Not for data paths (one parse costs more than proxying a
// request): events in binary mode are never parsed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "platform/base/result.h"

namespace hearth {
using Json = nlohmann::json;
}

namespace hearth::base {

// Refuses nesting deeper than limits::kJsonDepthMax, so that no later recursion can overflow.
Result<Json> parse_json(std::string_view text);
// With a limit of its own, for texts that become a part of others.
Result<Json> parse_json(std::string_view text, std::size_t depth_max);

// Compact text; invalid UTF-8 is replaced, never thrown.
std::string dump_json(const Json& value);
std::string dump_json_pretty(const Json& value);

// How deep arrays and objects lie in each other; 0 for a scalar.
std::size_t depth_of(const Json& value);

// Looks up a path of object keys; nullptr when a step is missing or not an object.
const Json* find(const Json& value, std::initializer_list<std::string_view> path);

// The string at the path, or `fallback` when it is missing or no string.
std::string string_at(const Json& value, std::initializer_list<std::string_view> path,
                      std::string_view fallback = {});
std::optional<std::int64_t> int_at(const Json& value, std::initializer_list<std::string_view> path);
std::optional<bool> bool_at(const Json& value, std::initializer_list<std::string_view> path);

}  // namespace hearth::base
