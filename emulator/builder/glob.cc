#include "emulator/builder/glob.h"

#include <algorithm>
#include <optional>

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

constexpr std::string_view kAnyDepth = "**";

// "**": from each place that was reached to all behind it.
void spread(std::vector<bool>& reached, bool at_least_one) {
  bool before = false;
  for (std::size_t i = 0; i < reached.size(); ++i) {
    const bool here = before || reached[i];
    reached[i] = at_least_one ? before : here;
    before = here;
  }
}

// A component takes one name. False when it leads nowhere.
bool advance(std::vector<bool>& reached, std::string_view component,
             std::span<const std::string_view> path) {
  bool any = false;
  for (std::size_t i = path.size(); i > 0; --i) {
    reached[i] = reached[i - 1] && match_component(component, path[i - 1]);
    any = any || reached[i];
  }
  reached[0] = false;
  return any;
}

}  // namespace

PathPattern::PathPattern(std::string_view pattern) {
  for (const std::string_view component : base::split(pattern, '/')) {
    // Several in a row take what one takes.
    const bool repeats =
        component == kAnyDepth && !components_.empty() && components_.back() == kAnyDepth;
    if (!repeats) components_.emplace_back(component);
  }
}

// [i]: the pattern takes the first i components.
std::vector<bool> PathPattern::reached(std::span<const std::string_view> path) const {
  std::vector<bool> out(path.size() + 1, false);
  out[0] = true;
  for (std::size_t k = 0; k < components_.size(); ++k) {
    if (components_[k] == kAnyDepth) {
      // At the end it takes what is inside, not the folder itself.
      spread(out, k + 1 == components_.size());
    } else if (!advance(out, components_[k], path)) {
      break;
    }
  }
  return out;
}

bool PathPattern::matches(std::span<const std::string_view> path) const {
  return reached(path).back();
}

bool PathPattern::covers(std::span<const std::string_view> path) const {
  const std::vector<bool> taken = reached(path);
  return std::find(taken.begin() + 1, taken.end(), true) != taken.end();
}

}  // namespace hearth::builder
