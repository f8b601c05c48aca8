#include "emulator/builder/ignore_file.h"

#include <filesystem>

#include "emulator/builder/glob.h"
#include "platform/base/text.h"

namespace hearth::builder {

IgnoreFile::IgnoreFile(std::string_view text) {
  for (const std::string_view line : base::split(text, '\n')) {
    std::string_view pattern = base::trim(line);
    if (pattern.empty() || line.starts_with('#')) continue;
    Rule rule;
    if (pattern.starts_with('!')) {
      rule.takes_back = true;
      pattern = base::trim(pattern.substr(1));
    }
    // Patterns are rooted at the context: "/a", "./a" and "a" are the same.
    std::string clean =
        std::filesystem::path("/" + std::string(pattern)).lexically_normal().string();
    clean.erase(0, clean.find_first_not_of('/'));
    while (clean.ends_with('/')) clean.pop_back();
    if (clean.empty()) continue;
    rule.pattern = std::move(clean);
    rules_.push_back(std::move(rule));
  }
}

bool IgnoreFile::ignores(std::string_view path) const {
  bool ignored = false;
  for (const Rule& rule : rules_) {
    if (rule.takes_back != ignored) continue;  // it would change nothing
    bool matches = match_path(rule.pattern, path);
    for (std::size_t at = path.find('/'); !matches && at != std::string_view::npos;
         at = path.find('/', at + 1)) {
      matches = match_path(rule.pattern, path.substr(0, at));
    }
    if (matches) ignored = !rule.takes_back;
  }
  return ignored;
}

}  // namespace hearth::builder
