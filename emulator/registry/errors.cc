#include "emulator/registry/errors.h"

#include "platform/base/json.h"
#include "platform/http/exchange.h"

namespace hearth::registry {
namespace {

struct Row {
  WireError error;
  int status;
  std::string_view code;
};

constexpr Row kRows[] = {
    {WireError::kBlobUnknown, 404, "BLOB_UNKNOWN"},
    {WireError::kBlobUploadInvalid, 400, "BLOB_UPLOAD_INVALID"},
    {WireError::kBlobUploadUnknown, 404, "BLOB_UPLOAD_UNKNOWN"},
    {WireError::kDigestInvalid, 400, "DIGEST_INVALID"},
    {WireError::kManifestBlobUnknown, 404, "MANIFEST_BLOB_UNKNOWN"},
    {WireError::kManifestInvalid, 400, "MANIFEST_INVALID"},
    {WireError::kManifestTooLarge, 413, "MANIFEST_INVALID"},
    {WireError::kManifestUnknown, 404, "MANIFEST_UNKNOWN"},
    {WireError::kNameInvalid, 400, "NAME_INVALID"},
    {WireError::kNameUnknown, 404, "NAME_UNKNOWN"},
    {WireError::kPaginationNumberInvalid, 400, "PAGINATION_NUMBER_INVALID"},
    {WireError::kRangeInvalid, 416, "RANGE_INVALID"},
    {WireError::kSizeInvalid, 400, "SIZE_INVALID"},
    {WireError::kTooManyRequests, 429, "TOOMANYREQUESTS"},
    {WireError::kUnsupported, 405, "UNSUPPORTED"},
    {WireError::kUnavailable, 503, "UNAVAILABLE"},
    {WireError::kUnknown, 500, "UNKNOWN"},
};

const Row& row_of(WireError error) {
  for (const Row& row : kRows) {
    if (row.error == error) return row;
  }
  return kRows[std::size(kRows) - 1];
}

}  // namespace

int status_of(WireError error) { return row_of(error).status; }
std::string_view code_of(WireError error) { return row_of(error).code; }

WireError wire_error(const Error& error) {
  switch (error.code) {
    case Code::kTooLarge:
      return WireError::kSizeInvalid;
    case Code::kBadRequest:
      return WireError::kBlobUploadInvalid;
    case Code::kUnavailable:
    case Code::kStorageFull:
      return WireError::kUnavailable;
    default:
      return WireError::kUnknown;
  }
}

Task<Status> respond_error(http::Exchange& exchange, WireError error, std::string message) {
  const Json body = {{"errors", {{{"code", code_of(error)}, {"message", message}}}}};
  http::ResponseHead head{.status = status_of(error), .headers = {}};
  head.headers.add("Content-Type", "application/json");
  if (head.status == 429 || head.status == 503) head.headers.add("Retry-After", "1");
  co_return co_await exchange.respond(head, base::dump_json(body));
}

}  // namespace hearth::registry
