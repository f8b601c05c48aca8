// Members that a JSON object has twice: RFC 8259 lets a reader choose one of them, so two readers
// of the same text may see different objects.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth::base {

// Their paths ("spec.items[0].name"), each once, `most` at most. `text` is one that parse_json()
// takes; of another nothing beyond its first error is looked at.
std::vector<std::string> duplicate_members(std::string_view text, std::size_t most = 10);

}  // namespace hearth::base
