#include "cli/exit_code.h"

#include <iostream>

namespace hearth::cli {

int exit_code_of(const Error& error) {
  switch (error.code) {
    case Code::kNotFound: return kNotFoundCode;
    case Code::kAlreadyExists:
    case Code::kConflict: return kConflictCode;
    case Code::kInvalid:
    case Code::kBadRequest: return kInvalidCode;
    case Code::kDeadlineExceeded: return kTimeoutCode;
    case Code::kUnavailable: return kUnreachable;
    default: return kFailed;
  }
}

int report(const Error& error) {
  std::cerr << "error: " << error.message << "\n";
  for (const FieldError& field : error.fields) {
    if (!error.message.contains(field.message)) {
      std::cerr << "  " << field.field << ": " << field.message << "\n";
    }
  }
  return exit_code_of(error);
}

}  // namespace hearth::cli
