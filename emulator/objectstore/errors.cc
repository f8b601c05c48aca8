#include "emulator/objectstore/errors.h"

#include <algorithm>
#include <array>

#include "platform/base/text.h"
#include "platform/s3/error_code.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {
namespace {

struct Row {
  std::string_view code;
  int status;
};

// 507 InsufficientStorage is no code of Amazon's (its disks do not fill): SDKs retry 5xx and then
// show the code and the message, which say what to do, where ServiceUnavailable would not.
constexpr auto kStatuses = std::to_array<Row>({
    {"AccessDenied", 403},
    {"AuthorizationHeaderMalformed", 400},
    {"AuthorizationQueryParametersError", 400},
    {"BadDigest", 400},
    {"BadRequest", 400},
    {"BucketAlreadyExists", 409},
    {"BucketAlreadyOwnedByYou", 409},
    {"BucketNotEmpty", 409},
    {"EntityTooLarge", 400},
    {"EntityTooSmall", 400},
    {"IncompleteBody", 400},
    {"InsufficientStorage", 507},
    {"InternalError", 500},
    {"InvalidAccessKeyId", 403},
    {"InvalidArgument", 400},
    {"InvalidBucketName", 400},
    {"InvalidChunkSizeError", 403},
    {"InvalidDigest", 400},
    {"InvalidLocationConstraint", 400},
    {"InvalidPart", 400},
    {"InvalidPartNumber", 416},
    {"InvalidPartOrder", 400},
    {"InvalidRange", 416},
    {"InvalidRequest", 400},
    {"InvalidTag", 400},
    {"InvalidURI", 400},
    {"KeyTooLongError", 400},
    {"MalformedTrailerError", 400},
    {"MalformedXML", 400},
    {"MetadataTooLarge", 400},
    {"MethodNotAllowed", 405},
    {"MissingContentLength", 411},
    {"NoSuchBucket", 404},
    {"NoSuchBucketPolicy", 404},
    {"NoSuchCORSConfiguration", 404},
    {"NoSuchKey", 404},
    {"NoSuchLifecycleConfiguration", 404},
    {"NoSuchPublicAccessBlockConfiguration", 404},
    {"NoSuchTagSet", 404},
    {"NoSuchUpload", 404},
    {"NoSuchVersion", 404},
    {"NoSuchWebsiteConfiguration", 404},
    {"NotImplemented", 501},
    {"ObjectLockConfigurationNotFoundError", 404},
    {"OwnershipControlsNotFoundError", 404},
    {"PreconditionFailed", 412},
    {"ReplicationConfigurationNotFoundError", 404},
    {"RequestTimeTooSkewed", 403},
    {"ServerSideEncryptionConfigurationNotFoundError", 404},
    {"ServiceUnavailable", 503},
    {"SignatureDoesNotMatch", 403},
    {"SlowDown", 503},
    {"XAmzContentSHA256Mismatch", 400},
});

WireError by_kind(const Error& error) {
  switch (error.code) {
    case Code::kStorageFull:
      return {"InsufficientStorage", 507,
              "The disk that holds the object store is full. Free space and try again."};
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kCancelled:
      return {"ServiceUnavailable", 503, "Service is unable to handle request."};
    case Code::kRateLimited:
      return {"SlowDown", 503, "Please reduce your request rate."};
    case Code::kTooLarge:
      return {"EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed size"};
    case Code::kBadRequest:
      return {"InvalidRequest", 400, error.message};
    default:
      return {"InternalError", 500, "We encountered an internal error. Please try again."};
  }
}

}  // namespace

WireError wire_error(const Error& error) {
  const std::string_view code = s3::s3_code(error);
  if (code.empty()) return by_kind(error);
  const auto row = std::ranges::find(kStatuses, code, &Row::code);
  return {code, row == kStatuses.end() ? 400 : row->status, error.message};
}

std::string error_document(const Error& error, std::string_view resource,
                           std::string_view request_id) {
  const WireError wire = wire_error(error);
  s3::XmlWriter xml("Error", false);
  xml.element("Code", wire.code).element("Message", wire.message);
  for (const FieldError& field : error.fields) {
    if (field.reason == s3::kExtraReason) xml.element(field.field, field.message);
  }
  // What isn't UTF-8 is no XML either.
  const std::string shown =
      base::is_valid_utf8(resource) ? std::string(resource) : base::percent_encode(resource, true);
  xml.element("Resource", shown).element("RequestId", request_id).element("HostId", "hearth");
  return xml.finish();
}

Error no_such_bucket(std::string_view bucket) {
  return s3::s3_error("NoSuchBucket", "The specified bucket does not exist",
                      {{"BucketName", bucket}});
}

Error no_such_key(std::string_view key) {
  return s3::s3_error("NoSuchKey", "The specified key does not exist.", {{"Key", key}});
}

Error no_such_upload(std::string_view upload_id) {
  return s3::s3_error("NoSuchUpload",
                      "The specified upload does not exist. The upload ID may be invalid, or the "
                      "upload may have been aborted or completed.",
                      {{"UploadId", upload_id}});
}

Error invalid_argument(std::string message, std::string_view name, std::string_view value) {
  return s3::s3_error("InvalidArgument", std::move(message),
                      {{"ArgumentName", name}, {"ArgumentValue", value}});
}

Error invalid_request(std::string message) {
  return s3::s3_error("InvalidRequest", std::move(message));
}

}  // namespace hearth::objectstore
