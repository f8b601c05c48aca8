// An S3 error code ("NoSuchKey") and its extra elements ("Key", "BucketName") inside the house's
// Error, so that Result<T> carries them from where they are found to where they are written.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "platform/base/error.h"
#include "platform/base/result.h"

namespace hearth::s3 {

using Extra = std::pair<std::string_view, std::string_view>;

// The house's code follows from the S3 code's kind (NoSuch… is kNotFound and so on).
Error s3_error(std::string_view code, std::string message,
               std::initializer_list<Extra> extras = {});

inline std::unexpected<Error> s3_fail(std::string_view code, std::string message,
                                      std::initializer_list<Extra> extras = {}) {
  return std::unexpected(s3_error(code, std::move(message), extras));
}

// Empty when the error did not come from s3_error().
std::string_view s3_code(const Error& error);
// The element's text; empty when there is none of that name.
std::string_view s3_extra(const Error& error, std::string_view name);

// Where s3_error() keeps the code and the extras in Error::fields.
inline constexpr std::string_view kCodeField = "s3.code";
inline constexpr std::string_view kExtraReason = "s3.extra";

}  // namespace hearth::s3
