#include "cli/object_words.h"

#include <algorithm>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::cli {
namespace {

bool has_slash(const std::string& word) { return word.contains('/'); }

ObjectWords& entry_of(std::vector<ObjectWords>& entries, const std::string& type) {
  const auto it = std::ranges::find(entries, type, &ObjectWords::type);
  return it != entries.end() ? *it : entries.emplace_back(ObjectWords{type, {}});
}

Result<std::vector<ObjectWords>> parse_pairs(const std::vector<std::string>& words) {
  std::vector<ObjectWords> out;
  for (const std::string& word : words) {
    const auto slash = word.find('/');
    const std::string type = word.substr(0, slash);
    const std::string name = slash == word.npos ? "" : word.substr(slash + 1);
    if (type.empty() || type.contains(',') || name.empty() || has_slash(name)) {
      return fail(Code::kBadRequest,
                  fmt::format("\"{}\" is not of the form TYPE/NAME, as the others are", word));
    }
    entry_of(out, type).names.push_back(name);
  }
  return out;
}

void add_missing(std::vector<std::string>& names, const std::vector<std::string>& others) {
  for (const std::string& name : others) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  }
}

}  // namespace

Result<std::vector<ObjectWords>> parse_object_words(const std::vector<std::string>& words) {
  if (std::ranges::any_of(words, has_slash)) return parse_pairs(words);
  std::vector<ObjectWords> out;
  if (words.empty()) return out;
  const std::vector<std::string> names(words.begin() + 1, words.end());
  if (std::ranges::find(names, "") != names.end())
    return fail(Code::kBadRequest, "a name is empty");
  for (const std::string_view type : base::split(words.front(), ',')) {
    if (type.empty()) {
      return fail(Code::kBadRequest, fmt::format("\"{}\" names no type", words.front()));
    }
    entry_of(out, std::string(type)).names = names;
  }
  return out;
}

Result<std::vector<KindWords>> kinds_of(std::vector<ObjectWords> asked, const Kinds& kinds) {
  std::vector<KindWords> out;
  for (ObjectWords& words : asked) {
    HEARTH_TRY(kind, kinds.find(words.type));
    const auto is_same = [&](const KindWords& known) { return known.kind.type == kind.type; };
    const auto known = std::ranges::find_if(out, is_same);
    if (known == out.end())
      out.push_back({std::move(kind), std::move(words.names)});
    else
      add_missing(known->names, words.names);
  }
  return out;
}

}  // namespace hearth::cli
