#include "platform/base/embedded_files.h"

#include <algorithm>

namespace hearth::base {

std::optional<std::string_view> embedded_file(std::string_view path) {
  const auto files = embedded_files();
  const auto it = std::lower_bound(
      files.begin(), files.end(), path,
      [](const EmbeddedFile& file, std::string_view wanted) { return file.path < wanted; });
  if (it == files.end() || it->path != path) return std::nullopt;
  return it->bytes;
}

}  // namespace hearth::base
