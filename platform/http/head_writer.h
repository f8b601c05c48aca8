// Heads as bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "platform/http/message.h"

namespace hearth::http {

enum class ConnectionHeader { kKeepAlive, kClose, kNone };

// Appends status line and fields; the caller adds framing fields and the empty line.
void append_status_line(std::string& out, int status);
void append_field(std::string& out, std::string_view name, std::string_view value);
// All fields but framing and hop-by-hop ones, which belong to the connection.
void append_fields(std::string& out, const Headers& headers);
void append_date(std::string& out);  // cached for a second

}  // namespace hearth::http
