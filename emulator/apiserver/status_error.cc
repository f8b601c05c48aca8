#include "emulator/apiserver/status_error.h"

namespace hearth::apiserver {
namespace {

struct Row {
  Code code;
  int status;
  const char* reason;
};

// Codes and reasons of meta/v1 Status.
constexpr Row kRows[] = {
    {Code::kNotFound, 404, "NotFound"},
    {Code::kAlreadyExists, 409, "AlreadyExists"},
    {Code::kConflict, 409, "Conflict"},
    {Code::kInvalid, 422, "Invalid"},
    {Code::kBadRequest, 400, "BadRequest"},
    {Code::kPreconditionFailed, 409, "Conflict"},
    {Code::kTooLarge, 413, "RequestEntityTooLarge"},
    {Code::kUnauthorized, 401, "Unauthorized"},
    {Code::kForbidden, 403, "Forbidden"},
    {Code::kRateLimited, 429, "TooManyRequests"},
    {Code::kUnavailable, 503, "ServiceUnavailable"},
    {Code::kDeadlineExceeded, 504, "Timeout"},
    {Code::kCancelled, 503, "ServiceUnavailable"},
    {Code::kExpired, 410, "Expired"},
    {Code::kUnsupported, 415, "UnsupportedMediaType"},
    {Code::kStorageFull, 507, "InsufficientStorage"},
    {Code::kCorrupt, 500, "InternalError"},
    {Code::kInternal, 500, "InternalError"},
};

const Row& row_of(Code code) {
  for (const Row& row : kRows) {
    if (row.code == code) return row;
  }
  return kRows[std::size(kRows) - 1];
}

}  // namespace

int http_status(const Error& error) { return row_of(error.code).status; }

Json status_object(const Error& error, const resource::Definition* definition,
                   std::string_view name) {
  const Row& row = row_of(error.code);
  Json status{{"kind", "Status"},    {"apiVersion", "v1"},       {"metadata", Json::object()},
              {"status", "Failure"}, {"message", error.message}, {"reason", row.reason},
              {"code", row.status}};
  Json details = Json::object();
  // kubectl prints kind and causes instead of the message when both are there: without causes the
  // kind must stay away, or the reason is lost.
  const bool unexplained = error.code == Code::kInvalid && error.fields.empty();
  if (!name.empty() && !unexplained) details["name"] = name;
  if (definition != nullptr && !unexplained) {
    if (!definition->type.group.empty()) details["group"] = definition->type.group;
    details["kind"] =
        error.code == Code::kInvalid ? definition->type.kind : definition->type.plural;
  }
  for (const FieldError& field : error.fields) {
    details["causes"].push_back(
        {{"reason", field.reason}, {"message", field.message}, {"field", field.field}});
  }
  if (error.code == Code::kUnavailable || error.code == Code::kStorageFull) {
    details["retryAfterSeconds"] = 1;
  }
  if (!details.empty()) status["details"] = std::move(details);
  return status;
}

Json success_status(const resource::Definition& definition, const Json& object) {
  Json details{{"name", resource::name_of(object)},
               {"kind", definition.type.plural},
               {"uid", resource::uid_of(object)}};
  if (!definition.type.group.empty()) details["group"] = definition.type.group;
  return {{"kind", "Status"},
          {"apiVersion", "v1"},
          {"metadata", Json::object()},
          {"status", "Success"},
          {"details", std::move(details)}};
}

}  // namespace hearth::apiserver
