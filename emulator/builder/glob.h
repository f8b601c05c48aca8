// Shell-style patterns of paths as Docker reads them in .dockerignore and COPY: Go's
// filepath.Match for one component, with "**" for any number of them. Time is bounded by the
// product of both lengths, whatever the pattern.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::builder {

// For who reads patterns of strangers. Twice the longest path (limits::kPathBytesMax): classes and
// escapes take more room than what they stand for.
inline constexpr std::size_t kPatternBytesMax = 4096;

// A pattern that is read once for many paths: *, ?, [a-z], [^a-z] and \ within a component, **
// across components. A malformed one matches nothing. A path is given as base::split(path, '/').
class PathPattern {
 public:
  explicit PathPattern(std::string_view pattern);

  // The whole path.
  bool matches(std::span<const std::string_view> path) const;
  // The path or a folder above it.
  bool covers(std::span<const std::string_view> path) const;

 private:
  std::vector<bool> reached(std::span<const std::string_view> path) const;

  std::vector<std::string> components_;
};

}  // namespace hearth::builder
