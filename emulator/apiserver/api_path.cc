#include "emulator/apiserver/api_path.h"

#include "platform/base/text.h"

namespace hearth::apiserver {

Result<std::optional<ApiPath>> parse_api_path(std::string_view path) {
  std::vector<std::string> parts;
  for (const std::string_view part : base::split(path, '/')) {
    if (part.empty()) continue;
    auto decoded = base::percent_decode(part);
    if (!decoded) return fail(Code::kBadRequest, "bad percent escape in the path");
    parts.push_back(std::move(*decoded));
  }
  ApiPath out;
  std::size_t at = 0;
  if (parts.size() >= 3 && parts[0] == "api") {
    out.version = parts[1];
    at = 2;
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    out.group = parts[1];
    out.version = parts[2];
    at = 3;
  } else {
    return std::optional<ApiPath>();
  }
  if (parts[at] == "watch" && parts.size() > at + 1) {
    out.legacy_watch = true;
    ++at;
  }
  // /namespaces/NS is the Namespace object itself; its subresources are status and finalize.
  const bool in_namespace = parts[at] == "namespaces" && parts.size() > at + 2 &&
                            parts[at + 2] != "status" && parts[at + 2] != "finalize";
  if (in_namespace) {
    out.ns = parts[at + 1];
    at += 2;
  }
  const std::size_t left = parts.size() - at;
  if (left == 0 || left > 3) return std::optional<ApiPath>();
  out.plural = parts[at];
  if (left > 1) out.name = parts[at + 1];
  if (left > 2) out.subresource = parts[at + 2];
  return std::optional(std::move(out));
}

Result<Query> Query::parse(std::string_view text) {
  auto parameters = http::parse_query(text);
  if (!parameters) return fail(Code::kBadRequest, "bad percent escape in the query");
  Query query;
  query.parameters_ = std::move(*parameters);
  return query;
}

std::string Query::get(std::string_view name) const {
  for (const auto& parameter : parameters_) {
    if (parameter.name == name) return parameter.value;
  }
  return {};
}

bool Query::has(std::string_view name) const {
  for (const auto& parameter : parameters_) {
    if (parameter.name == name) return true;
  }
  return false;
}

bool Query::flag(std::string_view name) const {
  if (!has(name)) return false;
  const std::string value = base::lower(get(name));
  return value != "0" && value != "false";
}

std::optional<std::int64_t> Query::integer(std::string_view name) const {
  return base::parse_int<std::int64_t>(get(name));
}

std::vector<std::string> Query::all(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& parameter : parameters_) {
    if (parameter.name == name) out.push_back(parameter.value);
  }
  return out;
}

}  // namespace hearth::apiserver
