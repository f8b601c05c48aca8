// Files of config/ and the language wrappers that are part of the binary.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace hearth::base {

struct EmbeddedFile {
  std::string_view path;  // relative to the repository: "config/crds/….yaml"
  std::string_view bytes;
};

// Sorted by path. Defined by a generated source.
std::span<const EmbeddedFile> embedded_files();

std::optional<std::string_view> embedded_file(std::string_view path);

}  // namespace hearth::base
