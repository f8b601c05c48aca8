// .dockerignore: which paths of a context a build does not see. The last pattern that matches a
// path or one of its parents decides; "!" takes back; "**" spans folders.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "emulator/builder/glob.h"
#include "platform/base/result.h"
#include "platform/oci/checkpoint.h"

namespace hearth::builder {

inline constexpr std::size_t kIgnoreFileBytesMax = 1024 * 1024;
// Each path of a context is held against each pattern.
inline constexpr std::size_t kIgnorePatternsMax = 10'000;

class IgnoreFile {
 public:
  IgnoreFile() = default;
  // Of a folder of one's own: takes any number of patterns of any length.
  explicit IgnoreFile(std::string_view text);
  // Of a stranger's. kTooLarge over the bounds, with the line.
  static Result<IgnoreFile> parse(std::string_view text);

  // `path` is relative to the context, without leading "./". Fails only as the checkpoint does.
  Result<bool> ignores(std::string_view path, const oci::Checkpoint& checkpoint) const;
  bool ignores(std::string_view path) const { return ignores(path, {}).value(); }
  bool empty() const { return rules_.empty(); }

 private:
  struct Rule {
    PathPattern pattern;
    bool takes_back = false;
  };
  void add(std::string_view pattern);

  std::vector<Rule> rules_;
};

}  // namespace hearth::builder
