// One vocabulary of failure for the whole house. Each protocol maps Code to its own wire error in
// one table (emulator/apiserver/status_error, emulator/objectstore/errors, …).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth {

enum class Code {
  kNotFound,
  kAlreadyExists,
  kConflict,
  kInvalid,
  kBadRequest,
  kPreconditionFailed,
  kTooLarge,
  kUnauthorized,
  kForbidden,
  kRateLimited,
  kUnavailable,
  kDeadlineExceeded,
  kCancelled,
  kExpired,
  kUnsupported,
  kStorageFull,
  kCorrupt,
  kInternal,
};

// The name in logs: "not_found".
std::string_view code_name(Code code);

// One wrong field of an outside document. `reason` is a Kubernetes cause, "FieldValueInvalid".
struct FieldError {
  std::string field;
  std::string reason;
  std::string message;

  bool operator==(const FieldError&) const = default;
};

struct Error {
  Code code = Code::kInternal;
  std::string message;
  std::vector<FieldError> fields;

  bool operator==(const Error&) const = default;
};

// "validating spec: <message>": adds where to what, keeps the code and the fields.
Error with_context(Error error, std::string_view context);

// Error for errno `number`; ENOSPC and EDQUOT become kStorageFull.
Error system_error(int number, std::string_view what);

}  // namespace hearth
