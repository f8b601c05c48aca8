#include "emulator/builder/glob.h"

#include <optional>
#include <vector>

#include "platform/base/text.h"

namespace hearth::builder {
namespace {

constexpr auto kNone = std::string_view::npos;

struct Class {
  bool contains = false;
  std::size_t end = 0;  // behind the "]"
};

// One end of a range; an escape stands for its character.
std::optional<char> class_character(std::string_view pattern, std::size_t& at) {
  if (at < pattern.size() && pattern[at] == '\\') ++at;
  if (at >= pattern.size()) return std::nullopt;
  return pattern[at++];
}

// "[a-z_]" or "[^a-z_]" at `at`; nullopt when it does not end.
std::optional<Class> match_class(std::string_view pattern, std::size_t at, char c) {
  ++at;
  const bool negated = at < pattern.size() && (pattern[at] == '^' || pattern[at] == '!');
  if (negated) ++at;
  bool found = false;
  for (bool first = true; at < pattern.size() && (first || pattern[at] != ']'); first = false) {
    const auto low = class_character(pattern, at);
    if (!low) return std::nullopt;
    auto high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      high = class_character(pattern, ++at);
      if (!high) return std::nullopt;
    }
    found = found || (*low <= c && c <= *high);
  }
  if (at >= pattern.size()) return std::nullopt;
  return Class{found != negated, at + 1};
}

// Where the pattern goes on when its piece at `at` (not "*") takes `c`; kNone when it does not.
std::size_t match_one(std::string_view pattern, std::size_t at, char c) {
  switch (pattern[at]) {
    case '?':
      return at + 1;
    case '[': {
      const auto set = match_class(pattern, at, c);
      return set && set->contains ? set->end : kNone;
    }
    case '\\':
      return at + 1 < pattern.size() && pattern[at + 1] == c ? at + 2 : kNone;
    default:
      return pattern[at] == c ? at + 1 : kNone;
  }
}

// Only the last "*" is ever tried again: what an earlier one could take, the last one can as well.
bool match_component(std::string_view pattern, std::string_view name) {
  std::size_t at = 0;
  std::size_t star = kNone;
  std::size_t star_name = 0;
  for (std::size_t i = 0; i < name.size();) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = ++at;
      star_name = i;
      continue;
    }
    const std::size_t next = at < pattern.size() ? match_one(pattern, at, name[i]) : kNone;
    if (next != kNone) {
      at = next;
      ++i;
    } else if (star != kNone) {
      at = star;
      i = ++star_name;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

}  // namespace

bool match_path(std::string_view pattern, std::string_view path) {
  const auto parts = base::split(path, '/');
  // reached[i]: the pattern so far takes the first i components.
  std::vector<bool> reached(parts.size() + 1, false);
  reached[0] = true;
  const auto components = base::split(pattern, '/');
  for (std::size_t k = 0; k < components.size(); ++k) {
    std::vector<bool> next(parts.size() + 1, false);
    const bool any = components[k] == "**";
    // A "**" at the end takes what is inside, not the folder itself.
    const bool at_least_one = any && k + 1 == components.size();
    for (std::size_t i = 0; i <= parts.size(); ++i) {
      const bool before =
          i > 0 && (any ? next[i - 1] || reached[i - 1]
                        : reached[i - 1] && match_component(components[k], parts[i - 1]));
      next[i] = before || (any && !at_least_one && reached[i]);
    }
    reached = std::move(next);
  }
  return reached.back();
}

}  // namespace hearth::builder
