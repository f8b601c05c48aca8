// The bytes of a part of a JSON text, as they stand in it.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace hearth::event {

// `text` is valid JSON and an object. Empty when there is no member of that name; of several the
// last one counts, as in the parser.
std::string_view top_level_member(std::string_view text, std::string_view name);

// The items of an array; `text` need not be valid. nullopt when it is no array or has more than
// `items_max`. What is no JSON value may be an item: the text is valid if all items are.
std::optional<std::vector<std::string_view>> array_items(std::string_view text,
                                                         std::size_t items_max);

}  // namespace hearth::event
