#include "emulator/apiserver/access_review.h"

#include <algorithm>

#include <fmt/format.h>

namespace hearth::apiserver {

namespace {

constexpr std::string_view kMasters = "system:masters";

Json user_json(const User& user) { return {{"username", user.name}, {"groups", user.groups}}; }

Json decision(bool allowed) {
  if (allowed)
    return {{"allowed", true}, {"reason", "members of system:masters may do everything"}};
  return {{"allowed", false}, {"reason", "roles and bindings are stored but not enforced here"}};
}

bool is_master(const User& user) {
  return std::ranges::find(user.groups, kMasters) != user.groups.end();
}

User subject_of(const Json& spec) {
  User user{base::string_at(spec, {"user"}), {}};
  const Json* groups = base::find(spec, {"groups"});
  if (groups == nullptr || !groups->is_array()) return user;
  for (const Json& group : *groups) {
    if (group.is_string()) user.groups.push_back(group.get<std::string>());
  }
  return user;
}

Status check_access_spec(const Json& spec) {
  const bool resource = base::find(spec, {"resourceAttributes"}) != nullptr;
  const bool path = base::find(spec, {"nonResourceAttributes"}) != nullptr;
  if (resource != path) return {};
  return fail(Code::kInvalid,
              "spec.resourceAttributes: Invalid value: exactly one of nonResourceAttributes or "
              "resourceAttributes must be specified");
}

Json rules() {
  const Json all = Json::array({"*"});
  return {{"resourceRules", {{{"verbs", all}, {"apiGroups", all}, {"resources", all}}}},
          {"nonResourceRules", {{{"verbs", all}, {"nonResourceURLs", all}}}},
          {"incomplete", false}};
}

Json token_status(const Json& spec, const std::string& administrator_token) {
  const auto user = user_of_token(base::string_at(spec, {"token"}), administrator_token);
  if (!user) return {{"authenticated", false}, {"error", "the token is not known"}};
  return {{"authenticated", true}, {"user", user_json(*user)}};
}

Result<Json> status_of(const Request& request, const Json& spec) {
  const std::string& kind = request.definition->type.kind;
  if (kind == "SelfSubjectReview") return Json{{"userInfo", user_json(request.user)}};
  if (kind == "SelfSubjectRulesReview") return rules();
  if (kind == "TokenReview") return token_status(spec, request.backend.token);
  HEARTH_CHECK_OK(check_access_spec(spec));
  if (kind == "SelfSubjectAccessReview") return decision(is_master(request.user));
  const User subject = subject_of(spec);
  if (subject.name.empty() && subject.groups.empty()) {
    return fail(Code::kInvalid,
                "spec.user: Invalid value: \"\": at least one of user or group "
                "must be specified");
  }
  return decision(is_master(subject));
}

}  // namespace

Task<void> review_access(Request& request) {
  if (request.exchange.request().method != "POST" || !request.path.name.empty()) {
    co_return co_await send_error(request.exchange,
                                  {Code::kBadRequest, "reviews are only created: POST them", {}});
  }
  auto body = co_await read_body(request);
  if (body && !body->is_object()) body = fail(Code::kBadRequest, "the body is not an object");
  if (!body) co_return co_await send_error(request.exchange, body.error());
  const Json* spec = base::find(*body, {"spec"});
  auto status = status_of(request, spec != nullptr ? *spec : Json::object());
  if (!status) {
    co_return co_await send_error(request.exchange, status.error(), request.definition.get());
  }
  Json answer{{"kind", request.definition->type.kind},
              {"apiVersion", request.type().api_version()},
              {"metadata", {{"creationTimestamp", nullptr}}},
              {"status", std::move(*status)}};
  if (spec != nullptr) answer["spec"] = *spec;
  co_await send_json(request.exchange, 201, answer);
}

}  // namespace hearth::apiserver
