// Values of flags that have a syntax of their own.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "platform/base/result.h"

namespace hearth::cli {

// "30s", "5m", "1h30m"; bare digits are seconds. kBadRequest names the flag.
Result<std::chrono::nanoseconds> duration_flag(const std::string& text, std::string_view flag);

// The same as checks for CLI11, so that a wrong value is a usage error: "" or what is wrong.
std::string check_duration(const std::string& text);
std::string check_output(const std::string& text);
std::string check_header(const std::string& text);     // "name: value"
std::string check_extension(const std::string& text);  // "name=value"
std::string check_function(const std::string& text);   // what bare_name() makes a name of

// kInvalid names the flag when its value is something else than nothing or an http(s) URL.
Status check_url(std::string_view flag, const std::string& text);

// "-d": the text itself, @FILE for a file's content, "-" for standard input.
Result<std::string> data_flag(const std::string& text);

// "name<separator>value", both trimmed.
Result<std::pair<std::string, std::string>> pair_flag(const std::string& text, char separator,
                                                      std::string_view flag);

// "application/json" for what parses as JSON, else text/plain.
std::string content_type_of(const std::string& data);

}  // namespace hearth::cli
