#include <algorithm>
#include <memory>
#include <vector>

#include "emulator/objectstore/conditions.h"
#include "emulator/objectstore/errors.h"
#include "emulator/objectstore/meta_store.h"
#include "emulator/objectstore/object_bytes.h"
#include "emulator/objectstore/object_headers.h"
#include "emulator/objectstore/ops.h"
#include "emulator/objectstore/tags.h"
#include "emulator/objectstore/upload_body.h"
#include "platform/async/blocking.h"
#include "platform/base/bytes.h"
#include "platform/base/text.h"
#include "platform/s3/checksum.h"
#include "platform/s3/error_code.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {

namespace {

constexpr int kPartNumberMax = 10'000;

struct CopySource {
  std::string bucket;
  std::string key;
};

// "[/]bucket/key[?versionId=null]", percent-encoded. InvalidArgument.
Result<CopySource> parse_copy_source(std::string_view header) {
  const auto invalid = [&] {
    return fail(
        invalid_argument("Copy Source must mention the source bucket and key: "
                         "sourcebucket/sourcekey",
                         "x-amz-copy-source", header));
  };
  std::string_view path = header;
  if (const auto at = path.find("?versionId="); at != path.npos) {
    const std::string_view version = path.substr(at + 11);
    if (version != "null") {
      return fail(invalid_argument("Invalid version id specified", "versionId", version));
    }
    path = path.substr(0, at);
  }
  const auto decoded = base::percent_decode(path);
  if (!decoded) return invalid();
  std::string_view text = *decoded;
  if (text.starts_with('/')) text.remove_prefix(1);
  const auto slash = text.find('/');
  if (slash == text.npos || slash == 0 || slash + 1 == text.size()) return invalid();
  return CopySource{std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
}

Result<bool> is_replace(std::string_view directive) {
  if (directive.empty() || directive == "COPY") return false;
  if (directive == "REPLACE") return true;
  return fail(
      invalid_argument("Unknown metadata directive.", "x-amz-metadata-directive", directive));
}

// What a copy takes into the write transaction.
struct CopyWork {
  CopySource source;
  std::string bucket;
  std::string key;
  bool replace_headers = false;
  std::string headers;
  bool replace_tags = false;
  std::string tags;
  std::int64_t modified_ms = 0;
  std::int64_t data_id = 0;
  http::Headers conditions;
};

Result<ObjectRow> copy_row(sqlite::Database& database, const CopyWork& work) {
  HEARTH_CHECK_OK(meta::bucket(database, work.bucket));
  HEARTH_TRY(source, meta::object(database, work.source.bucket, work.source.key));
  HEARTH_CHECK_OK(evaluate_copy_source(work.conditions, source.existing()));
  if (source.size > kUploadBytesMax) {
    return fail(
        invalid_request("The specified copy source is larger than the maximum allowable "
                        "size for a copy source: 5368709120"));
  }
  HEARTH_TRY(old, meta::find_object(database, work.bucket, work.key));
  std::optional<Existing> existing;
  if (old) existing = old->existing();
  HEARTH_CHECK_OK(WriteConditions::from(work.conditions).check(existing, work.key));
  ObjectRow row = source;
  row.bucket = work.bucket;
  row.key = work.key;
  row.modified_ms = work.modified_ms;
  row.data_id = work.data_id;
  if (work.replace_headers) row.headers = work.headers;
  if (work.replace_tags) row.tags = work.tags;
  // The bytes first: when an object is copied onto itself the old ones go with the old row.
  HEARTH_CHECK_OK(meta::copy_data(database, source.data_id, row.data_id));
  HEARTH_CHECK_OK(meta::put_object(database, row, {}));
  return row;
}

}  // namespace

Task<Status> copy_object(Services& services, Call& call) {
  HEARTH_CO_TRY(source, parse_copy_source(call.header("x-amz-copy-source")));
  HEARTH_CO_TRY(replace, is_replace(call.header("x-amz-metadata-directive")));
  HEARTH_CO_TRY(replace_tags, is_replace(call.header("x-amz-tagging-directive")));
  if (source.bucket == call.bucket() && source.key == call.key() && !replace) {
    co_return fail(invalid_request(
        "This copy request is illegal because it is trying to copy an object to itself without "
        "changing the object's metadata, storage class, website redirect location or encryption "
        "attributes."));
  }
  HEARTH_CO_TRY(headers, collect_headers(call.headers()));
  HEARTH_CO_TRY(tags, normalize_tags(call.header("x-amz-tagging")));
  CopyWork work{.source = std::move(source),
                .bucket = call.bucket(),
                .key = call.key(),
                .replace_headers = replace,
                .headers = std::move(headers),
                .replace_tags = replace_tags,
                .tags = std::move(tags),
                .modified_ms = services.now_ms(),
                .data_id = services.next_data_id(),
                .conditions = call.headers()};
  HEARTH_CO_TRY(row, co_await services.writer.write<ObjectRow>(
                         [work = std::move(work)](sqlite::Database& database) {
                           return copy_row(database, work);
                         }));
  services.tell({ObjectEvent::Kind::kCreated, row.bucket, row.key, row.etag, row.size});
  s3::XmlWriter xml("CopyObjectResult");
  xml.element("LastModified", iso_time(row.modified_ms)).element("ETag", "\"" + row.etag + "\"");
  if (const auto checksum = StoredChecksum::parse(row.checksum); !checksum.empty()) {
    xml.element(checksum.element(), checksum.value).element("ChecksumType", checksum.type);
  }
  co_return co_await call.respond_xml(xml.finish());
}

namespace {

struct PartBytes {
  Part part;
  std::optional<blobs::BlobWriter> writer;
};

// Runs on the pool: copying gigabytes must not hold up the loop.
Status copy_segments(const blobs::BlobStore& blobs, const ObjectBytes& bytes, ByteRange range,
                     std::optional<s3::ChecksumAlgorithm> algorithm, PartBytes& out) {
  base::Hasher md5(base::HashAlgorithm::kMd5);
  std::optional<s3::ChecksumHasher> checksum;
  if (algorithm) checksum.emplace(*algorithm);
  const auto take = [&](std::string_view data) {
    md5.update(data);
    if (checksum) checksum->update(data);
    return out.writer->append(data);
  };
  if (bytes.segments.empty()) {
    HEARTH_CHECK_OK(take(std::string_view(bytes.inline_bytes).substr(range.first, range.length())));
  }
  const auto buffer = std::make_unique_for_overwrite<char[]>(kTransferBytes);
  for (const Segment& segment : bytes.cut(range)) {
    auto blob = blobs.open_blob(segment.digest);
    if (!blob) return fail(blob.error());
    for (std::uint64_t done = 0; done < segment.length;) {
      const auto piece =
          static_cast<std::size_t>(std::min<std::uint64_t>(kTransferBytes, segment.length - done));
      HEARTH_TRY(got, read_at(blob->get(), buffer.get(), piece, segment.offset + done));
      if (got == 0) return fail(Code::kCorrupt, "a blob is too short");
      HEARTH_CHECK_OK(take({buffer.get(), got}));
      done += got;
    }
  }
  out.part.etag = base::hex(md5.finish());
  out.part.size = range.length();
  if (checksum) out.part.checksum = checksum->finish();
  return {};
}

Task<Result<Part>> copy_part(Services& services, ObjectBytes bytes, ByteRange range,
                             std::optional<s3::ChecksumAlgorithm> algorithm) {
  auto writer = services.blobs.create();
  if (!writer) co_return fail(writer.error());
  // Shared with the pool, where the work may outlive this task.
  const auto state = std::make_shared<PartBytes>();
  state->writer.emplace(std::move(*writer));
  HEARTH_CO_CHECK_OK(co_await services.pool.run(
      [state, &blobs = services.blobs, bytes = std::move(bytes), range, algorithm] {
        return copy_segments(blobs, bytes, range, algorithm, *state);
      }));
  HEARTH_CO_TRY(blob, co_await state->writer->commit());
  state->part.digest = std::move(blob.digest);
  co_return std::move(state->part);
}

struct PartSource {
  ObjectRow row;
  ObjectBytes bytes;
  ByteRange range;
  Upload upload;
};

Result<PartSource> find_part_source(Services& services, const Call& call) {
  HEARTH_TRY(source, parse_copy_source(call.header("x-amz-copy-source")));
  const meta::Snapshot snapshot(services.reader);
  HEARTH_CHECK_OK(snapshot.began());
  PartSource out;
  HEARTH_TRY(upload,
             meta::upload(services.reader, call.bucket(), call.key(), call.parameter("uploadId")));
  HEARTH_TRY(row, meta::object(services.reader, source.bucket, source.key));
  HEARTH_CHECK_OK(evaluate_copy_source(call.headers(), row.existing()));
  HEARTH_TRY(bytes, object_bytes(services.reader, row));
  if (row.size == 0) return fail(invalid_request("The copy source is empty"));
  out.range = {0, row.size - 1};
  if (const auto range = call.headers().get("x-amz-copy-source-range")) {
    HEARTH_TRY(parsed, parse_copy_range(*range, row.size));
    out.range = parsed;
  }
  out.upload = std::move(upload);
  out.row = std::move(row);
  out.bytes = std::move(bytes);
  return out;
}

}  // namespace

Task<Status> upload_part_copy(Services& services, Call& call) {
  const auto number = base::parse_int<int>(call.parameter("partNumber"));
  if (!number || *number < 1 || *number > kPartNumberMax) {
    co_return fail(
        invalid_argument("Part number must be an integer between 1 and 10000, "
                         "inclusive",
                         "partNumber", call.parameter("partNumber")));
  }
  HEARTH_CO_TRY(source, find_part_source(services, call));
  const auto algorithm = s3::parse_checksum_name(source.upload.checksum_algorithm);
  HEARTH_CO_TRY(part,
                co_await copy_part(services, std::move(source.bytes), source.range, algorithm));
  part.number = *number;
  part.modified_ms = services.now_ms();
  HEARTH_CO_TRY(stored,
                co_await services.writer.write<bool>(
                    [upload = source.upload, part](sqlite::Database& database) -> Result<bool> {
                      HEARTH_CHECK_OK(meta::upload(database, upload.bucket, upload.key, upload.id));
                      HEARTH_CHECK_OK(meta::put_part(database, upload.id, part));
                      return true;
                    }));
  s3::XmlWriter xml("CopyPartResult");
  xml.element("LastModified", iso_time(part.modified_ms)).element("ETag", "\"" + part.etag + "\"");
  if (algorithm) {
    xml.element("Checksum" + std::string(s3::checksum_name(*algorithm)), part.checksum);
  }
  co_return co_await call.respond_xml(xml.finish());
}

}  // namespace hearth::objectstore
