#include "platform/oci/path_bounds.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "platform/base/beginning.h"
#include "platform/base/limits.h"

namespace hearth::oci {
namespace {

constexpr std::size_t kShownBytesMax = 100;

// Empty components and "." lead nowhere.
std::size_t depth_of(std::string_view path) {
  std::size_t depth = 0;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    if (!part.empty() && part != ".") ++depth;
    path.remove_prefix(std::min(path.size(), part.size() + 1));
  }
  return depth;
}

// A message goes into a status: no path of 4 KB.
std::string beginning(std::string_view path) { return base::beginning_of(path, kShownBytesMax); }

}  // namespace

Status check_path(std::string_view path) {
  if (path.size() > limits::kPathBytesMax) {
    return fail(Code::kTooLarge, fmt::format("{}: the path has {} bytes; at most {} are taken",
                                             beginning(path), path.size(), limits::kPathBytesMax));
  }
  const std::size_t depth = depth_of(path);
  if (depth <= limits::kPathDepthMax) return {};
  return fail(Code::kTooLarge, fmt::format("{}: the path is {} levels deep; at most {} are taken",
                                           beginning(path), depth, limits::kPathDepthMax));
}

}  // namespace hearth::oci
