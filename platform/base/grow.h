// Room at the end of a string for bytes that are about to be read into it.
#pragma once

#include <cstddef>
#include <string>

namespace hearth::base {

// Appends `bytes` characters of unspecified content: resize() would write zeros first, which costs
// more than a small read.
inline void grow(std::string& text, std::size_t bytes) {
  text.resize_and_overwrite(text.size() + bytes,
                            [](char*, std::size_t size) noexcept { return size; });
}

}  // namespace hearth::base
