// Values in Dockerfile words: $name, ${name}, ${name:-default}, ${name:+text}, quotes, escapes
// (Dockerfile reference §environment-replacement).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "platform/base/result.h"

namespace hearth::builder {

using Variables = std::map<std::string, std::string, std::less<>>;

// One word: variables replaced, quotes removed, escapes resolved. Unset variables are empty.
Result<std::string> substitute(std::string_view word, const Variables& variables, char escape);

// ENV, LABEL: a=b c="d e", or the old form `name rest of the line`.
Result<std::vector<std::pair<std::string, std::string>>> parse_pairs(
    const std::vector<std::string>& words, std::string_view text, const Variables& variables,
    char escape);

}  // namespace hearth::builder
