#include "emulator/objectstore/object_headers.h"

#include <algorithm>
#include <array>

#include "emulator/objectstore/errors.h"
#include "emulator/objectstore/services.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"

namespace hearth::objectstore {
namespace {

constexpr std::array<std::string_view, 8> kKept = {
    "cache-control",       "content-disposition",
    "content-encoding",    "content-language",
    "content-type",        "expires",
    "x-amz-storage-class", "x-amz-website-redirect-location"};
constexpr std::string_view kMetaPrefix = "x-amz-meta-";

// aws-chunked is how the body travels, not how the object is encoded.
std::string without_aws_chunked(std::string_view encodings) {
  std::vector<std::string> kept;
  for (const std::string_view part : base::split(encodings, ',')) {
    const std::string_view name = base::trim(part);
    if (!name.empty() && !base::equal_ignoring_case(name, "aws-chunked")) kept.emplace_back(name);
  }
  return base::join(kept, ",");
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  if (value.empty() || (name == "x-amz-storage-class" && value == "STANDARD")) return;
  out.append(name).append(": ").append(value).append("\n");
}

Result<std::string> collect_user_metadata(const http::Headers& request) {
  std::string out;
  std::size_t bytes = 0;
  for (const auto field : request) {
    const std::string name = base::lower(field.name);
    if (!name.starts_with(kMetaPrefix)) continue;
    bytes += name.size() - kMetaPrefix.size() + field.value.size();
    out.append(name).append(": ").append(field.value).append("\n");
  }
  if (bytes > kUserMetadataBytesMax) {
    return s3::s3_fail("MetadataTooLarge",
                       "Your metadata headers exceed the maximum allowed metadata size",
                       {{"Size", std::to_string(bytes)},
                        {"MaxSizeAllowed", std::to_string(kUserMetadataBytesMax)}});
  }
  return out;
}

}  // namespace

Result<std::string> collect_headers(const http::Headers& request) {
  std::string out;
  for (const std::string_view name : kKept) {
    std::string value(request.get_or(name, ""));
    if (name == "content-encoding") value = without_aws_chunked(value);
    if (name == "content-type" && value.empty()) value = "binary/octet-stream";
    append_line(out, name, value);
  }
  HEARTH_TRY(metadata, collect_user_metadata(request));
  return out + metadata;
}

void add_object_headers(http::Headers& out, const ObjectRow& row, const Call& call) {
  out.add("ETag", "\"" + row.etag + "\"");
  out.add("Last-Modified", http_time(row.modified_ms));
  out.add("Accept-Ranges", "bytes");
  for (const std::string_view line : base::split(row.headers, '\n')) {
    const auto colon = line.find(": ");
    if (colon != line.npos) out.add(line.substr(0, colon), line.substr(colon + 2));
  }
  if (!row.tags.empty()) {
    out.add("x-amz-tagging-count", std::to_string(base::split(row.tags, '&').size()));
  }
  constexpr std::string_view kOverride = "response-";
  for (const http::QueryParameter& parameter : call.query()) {
    if (!parameter.name.starts_with(kOverride) || !http::is_field_value(parameter.value)) continue;
    const std::string_view name = std::string_view(parameter.name).substr(kOverride.size());
    if (std::ranges::find(kKept, name) != kKept.end() && !name.starts_with("x-amz-")) {
      out.set(name, parameter.value);
    }
  }
}

StoredChecksum StoredChecksum::parse(std::string_view text) {
  const auto parts = base::split(text, ':');
  if (parts.size() != 3) return {};
  return {std::string(parts[0]), std::string(parts[1]), std::string(parts[2])};
}

std::string StoredChecksum::header() const { return "x-amz-checksum-" + base::lower(algorithm); }
std::string StoredChecksum::element() const { return "Checksum" + algorithm; }

}  // namespace hearth::objectstore
