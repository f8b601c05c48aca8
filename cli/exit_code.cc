#include "cli/exit_code.h"

#include <iostream>

#include "cli/command.h"
#include "platform/base/printable.h"

namespace hearth::cli {

int exit_code_of(const Error& error) {
  switch (error.code) {
    case Code::kNotFound:
      return kNotFoundCode;
    case Code::kAlreadyExists:
    case Code::kConflict:
      return kConflictCode;
    case Code::kInvalid:
    case Code::kBadRequest:
      return kInvalidCode;
    case Code::kDeadlineExceeded:
      return kTimeoutCode;
    case Code::kUnavailable:
      return kUnreachable;
    default:
      return kFailed;
  }
}

int report(const Error& error) {
  std::cout.flush();
  std::cerr << "error: " << base::printable_lines(error.message) << "\n";
  for (const FieldError& field : error.fields) {
    // Most messages hold their fields already.
    if (!error.message.contains(field.message) || !error.message.contains(field.field)) {
      std::cerr << base::printable_lines("  " + field.field + ": " + field.message) << "\n";
    }
  }
  return exit_code_of(error);
}

int finish(const Status& status) { return status ? kOk : report(status.error()); }

}  // namespace hearth::cli
