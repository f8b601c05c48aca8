#include "emulator/objectstore/complete_upload.h"
#include "emulator/objectstore/conditions.h"
#include "emulator/objectstore/errors.h"
#include "emulator/objectstore/meta_store.h"
#include "emulator/objectstore/object_headers.h"
#include "emulator/objectstore/ops.h"
#include "emulator/objectstore/tags.h"
#include "emulator/objectstore/upload_body.h"
#include "platform/base/hash.h"
#include "platform/base/random_id.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {
namespace {

constexpr int kPartNumberMax = 10'000;
constexpr std::size_t kSha256HexSize = 64;
constexpr std::int64_t kHourMs = 60 * 60 * 1000;
// How long a repeated CompleteMultipartUpload gets its first answer again.
constexpr std::int64_t kFinishedKeptMs = 24 * kHourMs;

Result<int> part_number(const Call& call) {
  const auto number = base::parse_int<int>(call.parameter("partNumber"));
  if (number && *number >= 1 && *number <= kPartNumberMax) return *number;
  return fail(invalid_argument("Part number must be an integer between 1 and 10000, inclusive",
                               "partNumber", call.parameter("partNumber")));
}

// An upload that is still open.
Result<Upload> open_upload(sqlite::Database& database, const std::string& bucket,
                           const std::string& key, std::string_view id) {
  HEARTH_TRY(upload, meta::upload(database, bucket, key, id));
  if (!upload.completed_etag.empty()) return fail(no_such_upload(id));
  return upload;
}

Status choose_checksum(const Call& call, Upload& out) {
  const std::string_view name = call.header("x-amz-checksum-algorithm");
  if (name.empty()) return {};
  const auto algorithm = s3::parse_checksum_name(name);
  if (!algorithm) {
    return fail(
        invalid_request("Checksum algorithm provided is unsupported. Please try again with "
                        "any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, "
                        "SHA256]"));
  }
  out.checksum_algorithm = s3::checksum_name(*algorithm);
  const bool only_full = *algorithm == s3::ChecksumAlgorithm::kCrc64Nvme;
  const bool only_composite =
      *algorithm == s3::ChecksumAlgorithm::kSha1 || *algorithm == s3::ChecksumAlgorithm::kSha256;
  out.checksum_type = call.header("x-amz-checksum-type");
  if (out.checksum_type.empty()) out.checksum_type = only_full ? "FULL_OBJECT" : "COMPOSITE";
  const bool full = out.checksum_type == "FULL_OBJECT";
  if ((!full && out.checksum_type != "COMPOSITE") || (full && only_composite) ||
      (!full && only_full)) {
    return fail(invalid_request("The " + out.checksum_type +
                                " checksum type cannot be used with the " + out.checksum_algorithm +
                                " checksum algorithm."));
  }
  return {};
}

}  // namespace

Task<Status> create_upload(Services& services, Call& call) {
  HEARTH_CO_TRY(headers, collect_headers(call.headers()));
  HEARTH_CO_TRY(tags, normalize_tags(call.header("x-amz-tagging")));
  Upload upload{.bucket = call.bucket(),
                .key = call.key(),
                .id = base::random_hex(24),
                .initiated_ms = services.now_ms(),
                .headers = std::move(headers),
                .tags = std::move(tags)};
  HEARTH_CO_CHECK_OK(choose_checksum(call, upload));
  std::int64_t prune_before = 0;
  if (upload.initiated_ms - services.pruned_ms > kHourMs) {
    services.pruned_ms = upload.initiated_ms;
    prune_before = upload.initiated_ms - kFinishedKeptMs;
  }
  HEARTH_CO_TRY(created, co_await services.writer.write<bool>(
                             [upload, prune_before](sqlite::Database& database) -> Result<bool> {
                               HEARTH_CHECK_OK(meta::bucket(database, upload.bucket));
                               if (prune_before > 0) {
                                 HEARTH_CHECK_OK(meta::prune_uploads(database, prune_before));
                               }
                               HEARTH_CHECK_OK(meta::create_upload(database, upload));
                               return true;
                             }));
  s3::XmlWriter xml("InitiateMultipartUploadResult");
  xml.element("Bucket", upload.bucket).element("Key", upload.key).element("UploadId", upload.id);
  http::ResponseHead head = call.head(200);
  head.headers.add("Content-Type", "application/xml");
  if (!upload.checksum_algorithm.empty()) {
    head.headers.add("x-amz-checksum-algorithm", upload.checksum_algorithm);
    head.headers.add("x-amz-checksum-type", upload.checksum_type);
  }
  const std::string document = xml.finish();
  co_return co_await call.exchange().respond(head, document);
}

Task<Status> upload_part(Services& services, Call& call) {
  HEARTH_CO_TRY(number, part_number(call));
  HEARTH_CO_TRY(
      upload, open_upload(services.reader, call.bucket(), call.key(), call.parameter("uploadId")));
  ReceiveOptions options{.inline_bytes_max = 0,
                         .fallback = s3::parse_checksum_name(upload.checksum_algorithm)};
  HEARTH_CO_TRY(body, co_await receive_body(services, call, options));
  if (options.fallback && body.algorithm != options.fallback) {
    co_return fail(invalid_request("Checksum Type mismatch occurred, expected checksum Type: " +
                                   base::lower(upload.checksum_algorithm)));
  }
  if (body.digest.empty()) {  // an empty part
    HEARTH_CO_TRY(blob, co_await services.blobs.put(""));
    body.digest = std::move(blob.digest);
  }
  const Part part{.number = number,
                  .size = body.size,
                  .digest = std::move(body.digest),
                  .etag = std::move(body.md5),
                  .checksum = body.checksum,
                  .modified_ms = services.now_ms()};
  HEARTH_CO_TRY(stored,
                co_await services.writer.write<bool>(
                    [upload, part](sqlite::Database& database) -> Result<bool> {
                      // It may have been aborted or completed while the bytes came in.
                      HEARTH_CHECK_OK(open_upload(database, upload.bucket, upload.key, upload.id));
                      HEARTH_CHECK_OK(meta::put_part(database, upload.id, part));
                      return true;
                    }));
  http::ResponseHead head = call.head(200);
  head.headers.add("ETag", "\"" + part.etag + "\"");
  if (body.algorithm) head.headers.add(s3::checksum_header(*body.algorithm), body.checksum);
  co_return co_await call.exchange().respond(head, "");
}

namespace {

struct CompleteWork {
  std::string bucket;
  std::string key;
  std::string upload_id;
  std::vector<s3::CompletedPart> wanted;
  WriteConditions conditions;
  std::int64_t modified_ms = 0;
  std::int64_t data_id = 0;
  std::optional<std::uint64_t> size;  // x-amz-mp-object-size
  std::string checksum;               // x-amz-checksum-…, of the whole object
};

Status check_totals(const CompleteWork& work, const ObjectRow& row) {
  if (work.size && *work.size != row.size) {
    return fail(
        invalid_request("The provided 'x-amz-mp-object-size' header value does not match "
                        "what was computed."));
  }
  const auto checksum = StoredChecksum::parse(row.checksum);
  if (!work.checksum.empty() && !checksum.empty() && work.checksum != checksum.value) {
    return s3::s3_fail("BadDigest", "The " + checksum.algorithm +
                                        " you specified did not match the calculated checksum.");
  }
  return {};
}

Status check_conditions(sqlite::Database& database, const CompleteWork& work) {
  HEARTH_TRY(old, meta::find_object(database, work.bucket, work.key));
  std::optional<Existing> existing;
  if (old) existing = old->existing();
  return work.conditions.check(existing, work.key);
}

Result<ObjectRow> complete(sqlite::Database& database, const CompleteWork& work) {
  HEARTH_TRY(upload, meta::upload(database, work.bucket, work.key, work.upload_id));
  ObjectRow row{.bucket = work.bucket, .key = work.key};
  if (!upload.completed_etag.empty()) {
    // A repeated request, whose first answer got lost.
    row.etag = upload.completed_etag;
    return row;
  }
  HEARTH_TRY(stored, meta::upload_parts(database, upload.id));
  HEARTH_TRY(parts, choose_parts(stored, work.wanted));
  HEARTH_CHECK_OK(check_conditions(database, work));
  row.etag = multipart_etag(parts);
  row.modified_ms = work.modified_ms;
  row.data_id = work.data_id;
  row.parts = static_cast<int>(parts.size());
  row.headers = upload.headers;
  row.tags = upload.tags;
  row.checksum = multipart_checksum(upload, parts);
  for (const Part& part : parts) row.size += part.size;
  HEARTH_CHECK_OK(check_totals(work, row));
  HEARTH_CHECK_OK(meta::put_object(database, row, {}));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    parts[i].number = static_cast<int>(i) + 1;
    HEARTH_CHECK_OK(meta::add_object_part(database, row.data_id, parts[i]));
  }
  HEARTH_CHECK_OK(meta::finish_upload(database, upload, row.etag));
  return row;
}

std::string object_checksum_header(const Call& call) {
  for (const auto field : call.headers()) {
    if (s3::checksum_of_header(field.name)) return std::string(field.value);
  }
  return {};
}

// The document's own bytes carry no checksum header here: it is the object's.
Task<Result<std::string>> read_complete_document(Call& call) {
  HEARTH_CO_TRY(body, co_await call.exchange().read_all(kDocumentBytesMax));
  const std::string& hash = call.identity().payload_hash;
  if (hash.size() == kSha256HexSize && base::sha256_hex(body) != hash) {
    co_return s3::s3_fail("XAmzContentSHA256Mismatch",
                          "The provided 'x-amz-content-sha256' header does not match what was "
                          "computed.");
  }
  co_return body;
}

}  // namespace

Task<Status> complete_upload(Services& services, Call& call) {
  HEARTH_CO_TRY(body, co_await read_complete_document(call));
  HEARTH_CO_TRY(wanted, s3::parse_complete_upload(body));
  CompleteWork work{.bucket = call.bucket(),
                    .key = call.key(),
                    .upload_id = std::string(call.parameter("uploadId")),
                    .wanted = std::move(wanted),
                    .conditions = WriteConditions::from(call.headers()),
                    .modified_ms = services.now_ms(),
                    .data_id = services.next_data_id(),
                    .size = base::parse_int<std::uint64_t>(call.header("x-amz-mp-object-size")),
                    .checksum = object_checksum_header(call)};
  HEARTH_CO_TRY(row, co_await services.writer.write<ObjectRow>(
                         [work = std::move(work)](sqlite::Database& database) {
                           return complete(database, work);
                         }));
  if (row.parts > 0) {
    services.tell({ObjectEvent::Kind::kCreated, row.bucket, row.key, row.etag, row.size});
  }
  s3::XmlWriter xml("CompleteMultipartUploadResult");
  xml.element("Location", "http://" + std::string(call.header("host")) + "/" + row.bucket + "/" +
                              base::percent_encode(row.key, true));
  xml.element("Bucket", row.bucket).element("Key", row.key);
  xml.element("ETag", "\"" + row.etag + "\"");
  if (const auto checksum = StoredChecksum::parse(row.checksum); !checksum.empty()) {
    xml.element(checksum.element(), checksum.value).element("ChecksumType", checksum.type);
  }
  co_return co_await call.respond_xml(xml.finish());
}

Task<Status> abort_upload(Services& services, Call& call) {
  HEARTH_CO_TRY(aborted, co_await services.writer.write<bool>(
                             [bucket = call.bucket(), key = call.key(),
                              id = std::string(call.parameter("uploadId"))](
                                 sqlite::Database& database) -> Result<bool> {
                               HEARTH_TRY(upload, open_upload(database, bucket, key, id));
                               HEARTH_CHECK_OK(meta::delete_upload(database, upload));
                               return true;
                             }));
  co_return co_await call.respond(204);
}

}  // namespace hearth::objectstore
