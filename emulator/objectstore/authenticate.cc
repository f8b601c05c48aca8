#include "emulator/objectstore/authenticate.h"

#include <algorithm>

#include "emulator/objectstore/errors.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"

namespace hearth::objectstore {
namespace {

Status check_payload_hash(std::string_view hash) {
  const bool hex = hash.size() == 64 && std::ranges::all_of(hash, [](char c) {
                     return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                   });
  if (hex || hash == s3::kUnsignedPayload || s3::chunked_mode(hash)) return {};
  if (hash.starts_with("STREAMING-")) {
    return s3::s3_fail("NotImplemented",
                       "A header you provided implies functionality that is not implemented",
                       {{"Header", "x-amz-content-sha256"}});
  }
  return fail(
      invalid_argument("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                       "STREAMING-AWS4-HMAC-SHA256-PAYLOAD or a valid sha256 value.",
                       "x-amz-content-sha256", hash));
}

void adopt_hoisted_headers(Call& call) {
  http::Headers& headers = call.exchange().request().headers;
  for (const http::QueryParameter& parameter : call.query()) {
    const std::string name = base::lower(parameter.name);
    // A checksum in a presigned URL is that of the presigner's empty body: of no use here.
    const bool hoisted = name.starts_with("x-amz-meta-") || name == "x-amz-storage-class" ||
                         name == "x-amz-tagging" || name == "x-amz-copy-source" ||
                         name == "x-amz-checksum-mode";
    if (hoisted && !headers.contains(name) && http::is_field_value(parameter.value)) {
      headers.add(name, parameter.value);
    }
  }
}

}  // namespace

Status Authenticator::authenticate(Call& call, base::WallTime now) {
  HEARTH_TRY(authorization, s3::parse_authorization(call.request()));
  if (!authorization) return s3::s3_fail("AccessDenied", "Access Denied");
  const auto secret = secrets.find(authorization->access_key);
  if (secret == secrets.end()) {
    return s3::s3_fail("InvalidAccessKeyId",
                       "The AWS Access Key Id you provided does not exist in our records.",
                       {{"AWSAccessKeyId", authorization->access_key}});
  }
  HEARTH_CHECK_OK(check_payload_hash(authorization->payload_hash));
  HEARTH_TRY(key, s3::verify(call.request(), *authorization,
                             {.secret = secret->second, .region = region, .now = now}, cache));
  if (authorization->presigned) adopt_hoisted_headers(call);
  Call::Identity& identity = call.identity();
  identity.access_key = authorization->access_key;
  identity.payload_hash = authorization->payload_hash;
  identity.chunk_signing = {.key = std::move(key),
                            .timestamp = authorization->timestamp,
                            .scope = authorization->scope(),
                            .seed_signature = authorization->signature};
  return {};
}

}  // namespace hearth::objectstore
