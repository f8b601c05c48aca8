#include "platform/base/error.h"

#include <cerrno>
#include <system_error>

namespace hearth {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::kNotFound:
      return "not_found";
    case Code::kAlreadyExists:
      return "already_exists";
    case Code::kConflict:
      return "conflict";
    case Code::kInvalid:
      return "invalid";
    case Code::kBadRequest:
      return "bad_request";
    case Code::kPreconditionFailed:
      return "precondition_failed";
    case Code::kTooLarge:
      return "too_large";
    case Code::kUnauthorized:
      return "unauthorized";
    case Code::kForbidden:
      return "forbidden";
    case Code::kRateLimited:
      return "rate_limited";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kDeadlineExceeded:
      return "deadline_exceeded";
    case Code::kCancelled:
      return "cancelled";
    case Code::kExpired:
      return "expired";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kStorageFull:
      return "storage_full";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

Error with_context(Error error, std::string_view context) {
  error.message = std::string(context) + ": " + error.message;
  return error;
}

Error system_error(int number, std::string_view what) {
  Code code = Code::kInternal;
  if (number == ENOSPC || number == EDQUOT) code = Code::kStorageFull;
  if (number == ENOENT) code = Code::kNotFound;
  if (number == EEXIST) code = Code::kAlreadyExists;
  if (number == EACCES || number == EPERM) code = Code::kForbidden;
  if (number == ECANCELED) code = Code::kCancelled;
  // For now: what is short comes back when others let go of it.
  if (number == EMFILE || number == ENFILE || number == ENOMEM) code = Code::kUnavailable;
  return Error{code, std::string(what) + ": " + std::generic_category().message(number), {}};
}

}  // namespace hearth
