#include "kube-adapter/status_error.h"

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::kube_adapter {
namespace {

constexpr std::size_t kForeignTextBytesMax = 200;

struct Row {
  int status;
  std::string_view reason;  // empty: any
  Code code;
};

// First match wins.
constexpr Row kRows[] = {
    {400, "", Code::kBadRequest},
    {401, "", Code::kUnauthorized},
    {403, "", Code::kForbidden},
    {404, "", Code::kNotFound},
    {409, "AlreadyExists", Code::kAlreadyExists},
    {409, "", Code::kConflict},
    {410, "", Code::kExpired},
    {405, "", Code::kUnsupported},
    {406, "", Code::kUnsupported},
    {413, "", Code::kTooLarge},
    {415, "", Code::kUnsupported},
    {422, "", Code::kInvalid},
    {429, "", Code::kRateLimited},
    {500, "", Code::kInternal},
    {502, "", Code::kUnavailable},
    {503, "", Code::kUnavailable},
    {504, "", Code::kDeadlineExceeded},
    {507, "", Code::kStorageFull},
};

Code code_of(int status, std::string_view reason) {
  for (const Row& row : kRows) {
    if (row.status == status && (row.reason.empty() || row.reason == reason)) return row.code;
  }
  return status >= 500 ? Code::kUnavailable : Code::kInternal;
}

std::vector<FieldError> fields_of(const Json& status) {
  std::vector<FieldError> out;
  const Json* causes = base::find(status, {"details", "causes"});
  if (causes == nullptr || !causes->is_array()) return out;
  for (const Json& cause : *causes) {
    out.push_back({base::string_at(cause, {"field"}), base::string_at(cause, {"reason"}),
                   base::string_at(cause, {"message"})});
  }
  return out;
}

std::optional<std::chrono::seconds> seconds_of(std::string_view text) {
  const auto count = base::parse_int<std::uint32_t>(base::trim(text));
  if (!count) return std::nullopt;
  return std::chrono::seconds(*count);
}

}  // namespace

Error error_of_status(const Json& status) {
  const auto code = static_cast<int>(base::int_at(status, {"code"}).value_or(500));
  Error error{code_of(code, base::string_at(status, {"reason"})),
              base::string_at(status, {"message"}, "the server gave no reason"), fields_of(status)};
  // A server that was restored from a backup doesn't know our version yet: its history is not ours.
  for (const FieldError& cause : error.fields) {
    if (cause.reason == "ResourceVersionTooLarge") error.code = Code::kExpired;
  }
  return error;
}

Failure failure_of(int http_status, std::string_view body, std::string_view retry_after) {
  Failure failure{http_status, {}, seconds_of(retry_after)};
  const auto document = base::parse_json(body);
  if (document && base::string_at(*document, {"kind"}) == "Status") {
    Json status = *document;
    status["code"] = http_status;
    failure.error = error_of_status(status);
    const auto hint = base::int_at(status, {"details", "retryAfterSeconds"});
    if (!failure.retry_after && hint && *hint > 0) {
      failure.retry_after = std::chrono::seconds(std::min<std::int64_t>(*hint, 3600));
    }
    return failure;
  }
  std::string text(base::trim(body.substr(0, kForeignTextBytesMax)));
  failure.error = {code_of(http_status, ""),
                   fmt::format("the server answered {}{}{}", http_status, text.empty() ? "" : ": ",
                               base::replace_all(text, "\n", " ")),
                   {}};
  return failure;
}

}  // namespace hearth::kube_adapter
