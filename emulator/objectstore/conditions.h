// Conditional requests (RFC 9110 §13 as S3 applies it). ETags are compared with or without quotes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/result.h"
#include "platform/http/message.h"

namespace hearth::objectstore {

// What conditions look at; nullopt elsewhere means "no such object".
struct Existing {
  std::string_view etag;  // without quotes
  std::int64_t modified_ms = 0;
};

enum class ReadVerdict { kProceed, kNotModified };

// If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since of a GET or HEAD, in their order
// of precedence. PreconditionFailed names the condition.
Result<ReadVerdict> evaluate_read(const http::Headers& headers, const Existing& object);
// The x-amz-copy-source-if-… twins; what would be 304 is PreconditionFailed for a copy.
Status evaluate_copy_source(const http::Headers& headers, const Existing& source);

// If-Match and If-None-Match of a write, taken from the request so that they can travel into the
// write transaction.
struct WriteConditions {
  std::string if_match;
  std::string if_none_match;

  static WriteConditions from(const http::Headers& headers);
  // NoSuchKey when If-Match meets nothing; PreconditionFailed otherwise.
  Status check(const std::optional<Existing>& object, std::string_view key) const;
};

// True for "*" and when one of a comma-separated list of ETags is this one.
bool etag_matches(std::string_view header, std::string_view etag);

}  // namespace hearth::objectstore
