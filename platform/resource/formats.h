// The `format` of a string in a schema, as far as an API server looks at it.
#pragma once

#include <string_view>

namespace hearth::resource {

// date-time (RFC 3339), date, byte (base64), ipv4, ipv6, uuid. All others fit, as in JSON Schema.
bool format_fits(std::string_view format, std::string_view text);

}  // namespace hearth::resource
