// Which store, bucket, key and credentials an object source (minio, s3, gcs) means. Pure.
//
// GCS is read through its XML API, which speaks S3 to whoever signs with an HMAC key.
#pragma once

#include <map>
#include <string>

#include "platform/lambda/source.h"

namespace hearth::lambda {

// `secret`: the decoded data of the Secret that the source names; empty when it names none.
// kInvalid when the Secret holds no key pair of that store: the message says which keys it has.
Result<ObjectLocation> object_location(const Source& source,
                                       const std::map<std::string, std::string>& secret,
                                       const std::string& gcs_endpoint);

}  // namespace hearth::lambda
