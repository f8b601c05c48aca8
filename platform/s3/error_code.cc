#include "platform/s3/error_code.h"

#include <algorithm>
#include <array>

namespace hearth::s3 {
namespace {

Code kind_of(std::string_view code) {
  struct Kind {
    std::string_view name;
    Code code;
  };
  static constexpr auto kKinds = std::to_array<Kind>({
      {"AccessDenied", Code::kForbidden},
      {"BucketAlreadyExists", Code::kAlreadyExists},
      {"BucketAlreadyOwnedByYou", Code::kAlreadyExists},
      {"BucketNotEmpty", Code::kConflict},
      {"EntityTooLarge", Code::kTooLarge},
      {"InsufficientStorage", Code::kStorageFull},
      {"InternalError", Code::kInternal},
      {"InvalidAccessKeyId", Code::kUnauthorized},
      {"NotImplemented", Code::kUnsupported},
      {"PreconditionFailed", Code::kPreconditionFailed},
      {"RequestTimeTooSkewed", Code::kUnauthorized},
      {"ServiceUnavailable", Code::kUnavailable},
      {"SignatureDoesNotMatch", Code::kUnauthorized},
      {"SlowDown", Code::kRateLimited},
  });
  if (code.starts_with("NoSuch")) return Code::kNotFound;
  const auto found = std::ranges::find(kKinds, code, &Kind::name);
  return found == kKinds.end() ? Code::kBadRequest : found->code;
}

}  // namespace

Error s3_error(std::string_view code, std::string message, std::initializer_list<Extra> extras) {
  Error error{kind_of(code), std::move(message), {}};
  error.fields.push_back({std::string(kCodeField), std::string(code), ""});
  for (const auto& [name, value] : extras) {
    error.fields.push_back({std::string(name), std::string(kExtraReason), std::string(value)});
  }
  return error;
}

std::string_view s3_code(const Error& error) {
  for (const FieldError& field : error.fields) {
    if (field.field == kCodeField) return field.reason;
  }
  return {};
}

std::string_view s3_extra(const Error& error, std::string_view name) {
  for (const FieldError& field : error.fields) {
    if (field.reason == kExtraReason && field.field == name) return field.message;
  }
  return {};
}

}  // namespace hearth::s3
