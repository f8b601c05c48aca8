// The errors of the distribution specification (spec.md §error-codes) and how this house's codes
// map to them.
#pragma once

#include <string>
#include <string_view>

#include "platform/async/task.h"
#include "platform/base/result.h"

namespace hearth::http {
class Exchange;
}

namespace hearth::registry {

enum class WireError {
  kBlobUnknown,
  kBlobUploadInvalid,
  kBlobUploadUnknown,
  kDigestInvalid,
  kManifestBlobUnknown,
  kManifestInvalid,
  kManifestTooLarge,
  kManifestUnknown,
  kNameInvalid,
  kNameUnknown,
  kPaginationNumberInvalid,
  kRangeInvalid,
  kSizeInvalid,
  kTooManyRequests,
  kUnsupported,
  kUnavailable,
  kUnknown,
};

int status_of(WireError error);
std::string_view code_of(WireError error);
// For failures that no rule of the protocol names: storage, overload.
WireError wire_error(const Error& error);

// {"errors":[{"code","message"}]}
Task<Status> respond_error(http::Exchange& exchange, WireError error, std::string message);

}  // namespace hearth::registry
