// The XML that S3 clients and servers send: every parser takes or refuses every document, and what
// was parsed survives our own writer.
#include "platform/s3/xml.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;

std::string write_delete(const s3::DeleteRequest& request) {
  s3::XmlWriter writer("Delete");
  writer.flag("Quiet", request.quiet);
  for (const s3::DeleteEntry& entry : request.entries) {
    writer.open("Object").element("Key", entry.key).element("VersionId", entry.version_id);
    writer.element("ETag", '"' + entry.etag + '"').close();
  }
  return writer.finish();
}

std::string write_tagging(const s3::Tags& tags) {
  s3::XmlWriter writer("Tagging");
  writer.open("TagSet");
  for (const auto& [key, value] : tags) {
    writer.open("Tag").element("Key", key).element("Value", value).close();
  }
  return writer.finish();
}

void check_delete(std::string_view body) {
  const auto request = s3::parse_delete(body);
  if (!request) return fuzz::require_reason(request.error());
  require(!request->entries.empty() && request->entries.size() <= 1000, "1 to 1000 keys");
  const std::string written = write_delete(*request);
  const auto again = s3::parse_delete(written);
  require(again.has_value(), "a written deletion is one");
  require(write_delete(*again) == written, "the same deletion after a round trip");
}

void check_tagging(std::string_view body) {
  const auto tags = s3::parse_tagging(body);
  if (!tags) return fuzz::require_reason(tags.error());
  const std::string written = write_tagging(*tags);
  const auto again = s3::parse_tagging(written);
  require(again && write_tagging(*again) == written, "the same tags after a round trip");
}

void check_complete_upload(std::string_view body) {
  const auto parts = s3::parse_complete_upload(body);
  if (!parts) return fuzz::require_reason(parts.error());
  require(!parts->empty(), "at least one part");
  for (const s3::CompletedPart& part : *parts) require(!part.etag.empty(), "a part has an ETag");
}

template <typename T>
void check_verdict(const Result<T>& result) {
  if (!result) fuzz::require_reason(result.error());
}

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth;
  const std::string_view body = fuzz::view(data, size);
  check_delete(body);
  check_tagging(body);
  check_complete_upload(body);
  check_verdict(s3::parse_location_constraint(body));
  check_verdict(s3::parse_list_page(body));
  check_verdict(s3::parse_bucket_list(body));
  check_verdict(s3::parse_upload_id(body));
  if (const auto error = s3::parse_error_document(body)) (void)error->message;
  return 0;
}
