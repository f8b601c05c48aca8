// ListParts and ListMultipartUploads.
#include <algorithm>

#include "emulator/objectstore/errors.h"
#include "emulator/objectstore/listing.h"
#include "emulator/objectstore/meta_store.h"
#include "emulator/objectstore/ops.h"
#include "platform/base/text.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {
namespace {

constexpr int kPageMax = 1000;

Result<int> page_size(const Call& call, std::string_view parameter) {
  const std::string_view text = call.parameter(parameter);
  if (text.empty()) return kPageMax;
  const auto number = base::parse_int<int>(text);
  if (!number || *number < 0) {
    return fail(invalid_argument(
        "Argument " + std::string(parameter) + " must be an integer between 0 and 2147483647",
        parameter, text));
  }
  return std::min(*number, kPageMax);
}

void write_owner(s3::XmlWriter& xml, std::string_view element) {
  xml.open(element).element("ID", kOwnerId).element("DisplayName", kOwnerName).close();
}

struct UploadQuery {
  std::string bucket;
  std::string prefix;
  std::string delimiter;
  std::string key_marker;
  std::string id_marker;
  std::size_t entries_max = kPageMax;
};

struct UploadPage {
  std::vector<Upload> uploads;
  std::vector<std::string> prefixes;
  bool truncated = false;

  std::size_t size() const { return uploads.size() + prefixes.size(); }
};

// Uploads in progress are few: a scan of the bucket's own rows is enough.
Result<UploadPage> list_page(sqlite::Database& database, const UploadQuery& query) {
  auto row = database.prepare(
      "SELECT key,id,initiated_ms,checksum_algorithm,checksum_type FROM s3_uploads "
      "WHERE bucket=? AND completed_etag='' AND (key>? OR (key=? AND id>?)) ORDER BY key,id");
  row.bind(query.bucket).bind(query.key_marker).bind(query.key_marker);
  // Without an upload-id-marker all uploads of the key marker itself are past.
  row.bind(query.id_marker.empty() ? std::string_view("\xff") : std::string_view(query.id_marker));
  UploadPage out;
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return out;
    const std::string_view key = row.text(0);
    if (!key.starts_with(query.prefix)) continue;
    const auto rolled_up = common_prefix(key, query.prefix, query.delimiter);
    if (rolled_up && !out.prefixes.empty() && out.prefixes.back() == *rolled_up) continue;
    if (out.size() >= query.entries_max) {
      out.truncated = query.entries_max > 0;
      return out;
    }
    if (rolled_up) {
      out.prefixes.emplace_back(*rolled_up);
      continue;
    }
    Upload upload;
    upload.key = key;
    upload.id = row.text(1);
    upload.initiated_ms = row.integer(2);
    upload.checksum_algorithm = row.text(3);
    upload.checksum_type = row.text(4);
    out.uploads.push_back(std::move(upload));
  }
}

void write_upload(s3::XmlWriter& xml, const Upload& upload, std::string_view key) {
  xml.open("Upload").element("Key", key).element("UploadId", upload.id);
  write_owner(xml, "Initiator");
  write_owner(xml, "Owner");
  xml.element("StorageClass", "STANDARD").element("Initiated", iso_time(upload.initiated_ms));
  if (!upload.checksum_algorithm.empty()) {
    xml.element("ChecksumAlgorithm", upload.checksum_algorithm);
    xml.element("ChecksumType", upload.checksum_type);
  }
  xml.close();
}

}  // namespace

Task<Status> list_parts(Services& services, Call& call) {
  HEARTH_CO_TRY(limit, page_size(call, "max-parts"));
  const int marker = base::parse_int<int>(call.parameter("part-number-marker")).value_or(0);
  HEARTH_CO_TRY(
      upload, meta::upload(services.reader, call.bucket(), call.key(), call.parameter("uploadId")));
  if (!upload.completed_etag.empty()) co_return fail(no_such_upload(upload.id));
  HEARTH_CO_TRY(parts, meta::upload_parts(services.reader, upload.id, marker, limit + 1));
  const bool truncated = parts.size() > static_cast<std::size_t>(limit);
  if (truncated) parts.pop_back();
  s3::XmlWriter xml("ListPartsResult");
  xml.element("Bucket", upload.bucket).element("Key", upload.key).element("UploadId", upload.id);
  write_owner(xml, "Initiator");
  write_owner(xml, "Owner");
  xml.element("StorageClass", "STANDARD").element("PartNumberMarker", marker);
  xml.element("NextPartNumberMarker", parts.empty() ? marker : parts.back().number);
  xml.element("MaxParts", limit).flag("IsTruncated", truncated);
  if (!upload.checksum_algorithm.empty()) {
    xml.element("ChecksumAlgorithm", upload.checksum_algorithm);
    xml.element("ChecksumType", upload.checksum_type);
  }
  for (const Part& part : parts) {
    xml.open("Part").element("PartNumber", part.number);
    xml.element("LastModified", iso_time(part.modified_ms));
    xml.element("ETag", "\"" + part.etag + "\"");
    xml.element("Size", static_cast<std::int64_t>(part.size));
    if (!upload.checksum_algorithm.empty()) {
      xml.element("Checksum" + upload.checksum_algorithm, part.checksum);
    }
    xml.close();
  }
  co_return co_await call.respond_xml(xml.finish());
}

Task<Status> list_uploads(Services& services, Call& call) {
  HEARTH_CO_TRY(limit, page_size(call, "max-uploads"));
  HEARTH_CO_CHECK_OK(meta::bucket(services.reader, call.bucket()));
  const UploadQuery query{.bucket = call.bucket(),
                          .prefix = std::string(call.parameter("prefix")),
                          .delimiter = std::string(call.parameter("delimiter")),
                          .key_marker = std::string(call.parameter("key-marker")),
                          .id_marker = std::string(call.parameter("upload-id-marker")),
                          .entries_max = static_cast<std::size_t>(limit)};
  HEARTH_CO_TRY(page, list_page(services.reader, query));
  const bool encoded = call.parameter("encoding-type") == "url";
  const auto text = [&](std::string_view name) {
    return encoded ? base::percent_encode(name, true) : std::string(name);
  };
  s3::XmlWriter xml("ListMultipartUploadsResult");
  xml.element("Bucket", query.bucket).element("KeyMarker", text(query.key_marker));
  xml.element("UploadIdMarker", query.id_marker).element("Prefix", text(query.prefix));
  if (!query.delimiter.empty()) xml.element("Delimiter", text(query.delimiter));
  if (encoded) xml.element("EncodingType", "url");
  xml.element("MaxUploads", limit).flag("IsTruncated", page.truncated);
  if (page.truncated && !page.uploads.empty()) {
    xml.element("NextKeyMarker", text(page.uploads.back().key));
    xml.element("NextUploadIdMarker", page.uploads.back().id);
  }
  for (const Upload& upload : page.uploads) write_upload(xml, upload, text(upload.key));
  for (const std::string& prefix : page.prefixes) {
    xml.open("CommonPrefixes").element("Prefix", text(prefix)).close();
  }
  co_return co_await call.respond_xml(xml.finish());
}

}  // namespace hearth::objectstore
