// .dockerignore: which paths of a context a build does not see. The last pattern that matches a
// path or one of its parents decides; "!" takes back; "**" spans folders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth::builder {

class IgnoreFile {
 public:
  IgnoreFile() = default;
  explicit IgnoreFile(std::string_view text);

  // `path` is relative to the context, without leading "./".
  bool ignores(std::string_view path) const;
  bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    std::string pattern;
    bool takes_back = false;
  };
  std::vector<Rule> rules_;
};

}  // namespace hearth::builder
