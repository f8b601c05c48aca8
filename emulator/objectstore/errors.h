// The one table from S3 error codes to HTTP, and from the house's codes to S3's.
#pragma once

#include <string>
#include <string_view>

#include "platform/base/error.h"

namespace hearth::objectstore {

struct WireError {
  std::string_view code;
  int status = 500;
  std::string message;
};
// Errors of s3_error() keep their code; others are mapped by their kind. What goes wrong inside is
// not told to clients.
WireError wire_error(const Error& error);

// The <Error> document.
std::string error_document(const Error& error, std::string_view resource,
                           std::string_view request_id);

Error no_such_bucket(std::string_view bucket);
Error no_such_key(std::string_view key);
Error no_such_upload(std::string_view upload_id);
Error invalid_argument(std::string message, std::string_view name, std::string_view value);
Error invalid_request(std::string message);

}  // namespace hearth::objectstore
