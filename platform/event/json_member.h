// The bytes of one member of a JSON object, as they stand in the text.
#pragma once

#include <string_view>

namespace hearth::event {

// `text` is valid JSON and an object. Empty when there is no member of that name; of several the
// last one counts, as in the parser.
std::string_view top_level_member(std::string_view text, std::string_view name);

}  // namespace hearth::event
