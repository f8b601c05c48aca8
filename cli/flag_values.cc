#include "cli/flag_values.h"

#include <algorithm>
#include <cctype>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "cli/function_lookup.h"
#include "cli/output.h"
#include "platform/base/file.h"
#include "platform/base/json.h"
#include "platform/base/quantity.h"
#include "platform/base/text.h"
#include "platform/http/client.h"

namespace hearth::cli {

Result<std::chrono::nanoseconds> duration_flag(const std::string& text, std::string_view flag) {
  if (const auto seconds = base::parse_int<std::int64_t>(text); seconds && *seconds >= 0) {
    return std::chrono::seconds(*seconds);
  }
  const auto duration = base::parse_go_duration(text);
  if (!duration || duration->count() < 0) {
    return fail(Code::kBadRequest,
                fmt::format("{}: \"{}\" is no duration; write 30s, 5m or 1h30m", flag, text));
  }
  return *duration;
}

Status check_url(std::string_view flag, const std::string& text) {
  if (text.empty()) return {};
  const auto url = http::parse_url(text);
  return url ? Status() : fail(with_context(url.error(), std::string(flag)));
}

Result<std::string> data_flag(const std::string& text) {
  if (text == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  if (text.starts_with('@')) return base::read_file(text.substr(1));
  return text;
}

Result<std::pair<std::string, std::string>> pair_flag(const std::string& text, char separator,
                                                      std::string_view flag) {
  const auto at = text.find(separator);
  if (at == text.npos || at == 0) {
    return fail(Code::kBadRequest,
                fmt::format("{}: \"{}\" is not of the form name{}value", flag, text, separator));
  }
  return std::pair(std::string(base::trim(text.substr(0, at))),
                   std::string(base::trim(text.substr(at + 1))));
}

std::string content_type_of(const std::string& data) {
  return base::parse_json(data) ? "application/json" : "text/plain; charset=utf-8";
}

std::string check_duration(const std::string& text) {
  const auto duration = duration_flag(text, "the value");
  return duration ? "" : duration.error().message;
}

std::string check_output(const std::string& text) {
  const auto output = Output::parse(text);
  return output ? "" : output.error().message;
}

std::string check_header(const std::string& text) {
  const auto pair = pair_flag(text, ':', "-H");
  return pair ? "" : pair.error().message;
}

std::string check_extension(const std::string& text) {
  const auto pair = pair_flag(text, '=', "-e");
  if (!pair) return pair.error().message;
  const std::string name = base::lower(pair->first);
  if (name == "data" || name == "specversion" || name == "datacontenttype") {
    return fmt::format("-e: {} is no extension; see --data and --content-type", pair->first);
  }
  if (name == "id" || name == "type" || name == "source" || name == "subject") {
    return fmt::format("-e: {} is no extension: set it with --{}", pair->first, name);
  }
  // The names that CloudEvents allows; others make no header.
  if (std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0; })) return "";
  return fmt::format("-e: \"{}\" is no name of an extension: letters and digits only", pair->first);
}

std::string check_function(const std::string& text) {
  return bare_name(text).empty() ? "the name of a function is empty" : "";
}

}  // namespace hearth::cli
