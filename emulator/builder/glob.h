// Shell-style patterns of paths as Docker reads them in .dockerignore and COPY: Go's
// filepath.Match for one component, with "**" for any number of them. Time is bounded by the
// product of both lengths, whatever the pattern.
#pragma once

#include <string_view>

namespace hearth::builder {

// The whole path: *, ?, [a-z], [^a-z] and \ within a component, ** across components. A malformed
// pattern matches nothing.
bool match_path(std::string_view pattern, std::string_view path);

}  // namespace hearth::builder
