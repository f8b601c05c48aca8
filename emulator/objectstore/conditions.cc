#include "emulator/objectstore/conditions.h"

#include "emulator/objectstore/errors.h"
#include "platform/base/clock.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"

namespace hearth::objectstore {
namespace {

std::unexpected<Error> failed(std::string_view condition) {
  return s3::s3_fail("PreconditionFailed",
                     "At least one of the pre-conditions you specified did not hold",
                     {{"Condition", condition}});
}

// HTTP dates have whole seconds: a fraction must not make an object newer than its own date.
std::optional<bool> modified_after(std::string_view date, std::int64_t modified_ms) {
  auto time = base::parse_http_date(date);
  if (!time) time = base::parse_rfc3339(date);
  if (!time) return std::nullopt;
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*time).time_since_epoch();
  return modified_ms / 1000 > seconds.count();
}

struct Names {
  std::string_view match, unmodified, none_match, modified;
};
constexpr Names kRead{"If-Match", "If-Unmodified-Since", "If-None-Match", "If-Modified-Since"};
constexpr Names kCopy{"x-amz-copy-source-if-match", "x-amz-copy-source-if-unmodified-since",
                      "x-amz-copy-source-if-none-match", "x-amz-copy-source-if-modified-since"};

// Empty: proceed. Otherwise the name of the condition that says "not modified".
Result<std::string_view> evaluate(const http::Headers& headers, const Existing& object,
                                  const Names& names) {
  if (const auto match = headers.get(names.match)) {
    if (!etag_matches(*match, object.etag)) return failed(names.match);
  } else if (const auto date = headers.get(names.unmodified)) {
    if (modified_after(*date, object.modified_ms).value_or(false)) return failed(names.unmodified);
  }
  if (const auto none = headers.get(names.none_match)) {
    return etag_matches(*none, object.etag) ? names.none_match : std::string_view();
  }
  if (const auto date = headers.get(names.modified)) {
    if (!modified_after(*date, object.modified_ms).value_or(true)) return names.modified;
  }
  return std::string_view();
}

}  // namespace

bool etag_matches(std::string_view header, std::string_view etag) {
  for (std::string_view part : base::split(header, ',')) {
    part = base::trim(part);
    if (part.starts_with("W/")) part.remove_prefix(2);
    if (part.size() >= 2 && part.starts_with('"') && part.ends_with('"')) {
      part = part.substr(1, part.size() - 2);
    }
    if (part == "*" || part == etag) return true;
  }
  return false;
}

Result<ReadVerdict> evaluate_read(const http::Headers& headers, const Existing& object) {
  HEARTH_TRY(condition, evaluate(headers, object, kRead));
  return condition.empty() ? ReadVerdict::kProceed : ReadVerdict::kNotModified;
}

Status evaluate_copy_source(const http::Headers& headers, const Existing& source) {
  HEARTH_TRY(condition, evaluate(headers, source, kCopy));
  if (!condition.empty()) return failed(condition);
  return {};
}

WriteConditions WriteConditions::from(const http::Headers& headers) {
  return {std::string(headers.get_or("If-Match", "")),
          std::string(headers.get_or("If-None-Match", ""))};
}

Status WriteConditions::check(const std::optional<Existing>& object, std::string_view key) const {
  if (!if_match.empty()) {
    if (!object) return fail(no_such_key(key));
    if (!etag_matches(if_match, object->etag)) return failed("If-Match");
  }
  if (!if_none_match.empty() && object && etag_matches(if_none_match, object->etag)) {
    return failed("If-None-Match");
  }
  return {};
}

}  // namespace hearth::objectstore
