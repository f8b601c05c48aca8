#include "cli/api_client.h"

#include <array>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::cli {
namespace {

constexpr std::array<std::pair<std::string_view, Code>, 12> kReasons{{
    {"NotFound", Code::kNotFound},
    {"AlreadyExists", Code::kAlreadyExists},
    {"Conflict", Code::kConflict},
    {"Invalid", Code::kInvalid},
    {"BadRequest", Code::kBadRequest},
    {"Unauthorized", Code::kUnauthorized},
    {"Forbidden", Code::kForbidden},
    {"TooManyRequests", Code::kRateLimited},
    {"ServiceUnavailable", Code::kUnavailable},
    {"Timeout", Code::kDeadlineExceeded},
    {"Expired", Code::kExpired},
    {"RequestEntityTooLarge", Code::kTooLarge},
}};

Code code_of_reason(const std::string& reason) {
  for (const auto& [name, code] : kReasons) {
    if (name == reason) return code;
  }
  return Code::kInternal;
}

// A Kubernetes Status as the error that it was before it crossed the wire.
Error error_of_status(const HttpReply& reply) {
  const auto body = base::parse_json(reply.body);
  if (!body || base::string_at(*body, {"kind"}) != "Status") {
    return {reply.status == 404 ? Code::kNotFound : Code::kInternal,
            fmt::format("the API answered {} {}: {}", reply.status, reply.reason, reply.body),
            {}};
  }
  Error error{
      code_of_reason(base::string_at(*body, {"reason"})), base::string_at(*body, {"message"}), {}};
  if (const Json* causes = base::find(*body, {"details", "causes"}); causes && causes->is_array()) {
    for (const Json& cause : *causes) {
      error.fields.push_back({base::string_at(cause, {"field"}), base::string_at(cause, {"reason"}),
                              base::string_at(cause, {"message"})});
    }
  }
  return error;
}

Error error_of_admin(const HttpReply& reply) {
  const auto body = base::parse_json(reply.body);
  if (!body) return {Code::kInternal, fmt::format("the broker answered {}", reply.status), {}};
  const std::string name = base::string_at(*body, {"error"});
  Code code = Code::kInternal;
  for (int i = 0; i <= static_cast<int>(Code::kInternal); ++i) {
    if (code_name(static_cast<Code>(i)) == name) code = static_cast<Code>(i);
  }
  return {code, base::string_at(*body, {"message"}), {}};
}

}  // namespace

ApiClient::ApiClient(Daemon daemon)
    : daemon_(std::move(daemon)), api_(daemon_.api, daemon_.ca_pem), gateway_(daemon_.gateway) {}

Result<Json> ApiClient::get(const std::string& target, std::string_view accept) {
  HEARTH_TRY(reply, api_.call({.target = target,
                               .headers = {{"Accept", std::string(accept)},
                                           {"Authorization", "Bearer " + daemon_.token}}}));
  if (reply.status >= 400) return fail(error_of_status(reply));
  return base::parse_json(reply.body);
}

Result<Json> ApiClient::send(const std::string& method, const std::string& target,
                             const Json& body) {
  HttpCall call{.method = method,
                .target = target,
                .headers = {{"Accept", std::string(kAcceptJson)},
                            {"Authorization", "Bearer " + daemon_.token}}};
  if (!body.is_null()) {
    call.body = base::dump_json(body);
    call.headers.emplace_back(
        "Content-Type", method == "PATCH" ? "application/merge-patch+json" : "application/json");
  }
  HEARTH_TRY(reply, api_.call(std::move(call)));
  if (reply.status >= 400) return fail(error_of_status(reply));
  return base::parse_json(reply.body);
}

Status ApiClient::stream(const std::string& target, std::string_view accept,
                         const std::function<bool(std::string_view)>& on_line,
                         std::chrono::milliseconds silence) {
  std::string partial;
  bool ended = false;
  const auto on_bytes = [&](std::string_view piece) {
    partial.append(piece);
    std::size_t begin = 0;
    for (auto end = partial.find('\n'); end != partial.npos; end = partial.find('\n', begin)) {
      ended = !on_line(std::string_view(partial).substr(begin, end - begin));
      if (ended) return false;
      begin = end + 1;
    }
    partial.erase(0, begin);
    return true;
  };
  HEARTH_TRY(reply, api_.call({.target = target,
                               .headers = {{"Accept", std::string(accept)},
                                           {"Authorization", "Bearer " + daemon_.token}},
                               .timeout = silence,
                               .on_bytes = on_bytes}));
  if (reply.status >= 400) return fail(error_of_status(reply));
  if (!partial.empty() && !ended) (void)on_line(partial);
  return {};
}

Result<Json> ApiClient::administer(const std::string& method, const std::string& path) {
  HEARTH_TRY(reply, gateway_.call({.method = method,
                                   .target = "/hearth/v1/" + path,
                                   .headers = {{"Authorization", "Bearer " + daemon_.token}}}));
  if (reply.status >= 400) return fail(error_of_admin(reply));
  return base::parse_json(reply.body);
}

std::string path_of(const resource::Type& type, const std::string& ns, const std::string& name) {
  std::string path =
      type.group.empty() ? "/api/" + type.version : "/apis/" + type.group + "/" + type.version;
  if (type.namespaced && !ns.empty()) path += "/namespaces/" + base::percent_encode(ns);
  path += "/" + type.plural;
  if (!name.empty()) path += "/" + base::percent_encode(name);
  return path;
}

std::string query_of(std::initializer_list<std::pair<std::string_view, std::string>> parameters) {
  std::string query;
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    query += query.empty() ? "?" : "&";
    query += base::percent_encode(name) + "=" + base::percent_encode(value);
  }
  return query;
}

}  // namespace hearth::cli
