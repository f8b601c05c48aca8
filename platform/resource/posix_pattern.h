// Patterns of OpenAPI schemas (the syntax of RE2) as POSIX extended regular expressions, for
// regcomp(3): classes such as \d and \s, \xHH, and escapes within brackets, where POSIX knows none.
#pragma once

#include <string>
#include <string_view>

namespace hearth::resource {

// A syntax that has no POSIX form stays as it is; regcomp then refuses or misreads it. NUL can't
// be part of a POSIX expression: \x00 becomes \x01, and no text with a NUL is matched.
std::string to_posix_pattern(std::string_view pattern);

}  // namespace hearth::resource
