#include <fmt/format.h>

#include "emulator/objectstore/conditions.h"
#include "emulator/objectstore/errors.h"
#include "emulator/objectstore/meta_store.h"
#include "emulator/objectstore/object_bytes.h"
#include "emulator/objectstore/object_headers.h"
#include "emulator/objectstore/ops.h"
#include "emulator/objectstore/range.h"
#include "emulator/objectstore/tags.h"
#include "emulator/objectstore/upload_body.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"
#include "platform/s3/names.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {
namespace {

// Publishes the object if bucket and conditions allow it, all in the write transaction.
Result<bool> publish(sqlite::Database& database, const ObjectRow& row, std::string_view bytes,
                     const WriteConditions& conditions) {
  HEARTH_CHECK_OK(meta::bucket(database, row.bucket));
  if (!conditions.if_match.empty() || !conditions.if_none_match.empty()) {
    HEARTH_TRY(old, meta::find_object(database, row.bucket, row.key));
    std::optional<Existing> existing;
    if (old) existing = old->existing();
    HEARTH_CHECK_OK(conditions.check(existing, row.key));
  }
  HEARTH_CHECK_OK(meta::put_object(database, row, bytes));
  return true;
}

Status check_version(const Call& call) {
  const std::string_view version = call.parameter("versionId");
  if (version.empty() || version == "null") return {};
  return fail(invalid_argument("Invalid version id specified", "versionId", version));
}

// The part of the object that a GET asks for by ?partNumber= or Range.
struct Selection {
  std::optional<ByteRange> range;
  bool by_part = false;
};

Result<Selection> select_part(const ObjectRow& row, const ObjectBytes& bytes,
                              std::string_view text) {
  const auto number = base::parse_int<int>(text);
  if (!number || *number < 1 || *number > 10'000) {
    return fail(invalid_argument("Part number must be an integer between 1 and 10000, inclusive",
                                 "partNumber", text));
  }
  const int parts = std::max(row.parts, 1);
  if (*number > parts) {
    return s3::s3_fail(
        "InvalidPartNumber", "The requested partnumber is not satisfiable",
        {{"PartNumberRequested", text}, {"ActualPartCount", fmt::format_int(parts).c_str()}});
  }
  if (row.size == 0) return Selection{std::nullopt, true};
  if (row.parts == 0) return Selection{ByteRange{0, row.size - 1}, true};
  std::uint64_t start = 0;
  for (int i = 0; i + 1 < *number; ++i) start += bytes.segments[static_cast<std::size_t>(i)].length;
  const std::uint64_t length = bytes.segments[static_cast<std::size_t>(*number - 1)].length;
  return Selection{ByteRange{start, start + length - 1}, true};
}

Result<Selection> select(const Call& call, const ObjectRow& row, const ObjectBytes& bytes) {
  const auto range = call.headers().get("range");
  if (const auto part = call.parameter_of("partNumber")) {
    if (range) {
      return fail(
          invalid_request("Cannot specify both Range header and partNumber query "
                          "parameter"));
    }
    return select_part(row, bytes, *part);
  }
  if (!range) return Selection{};
  HEARTH_TRY(parsed, parse_range(*range, row.size));
  return Selection{parsed, false};
}

http::ResponseHead object_head(const Call& call, const ObjectRow& row, const Selection& selection) {
  http::ResponseHead head = call.head(selection.range ? 206 : 200);
  add_object_headers(head.headers, row, call);
  if (selection.range) {
    head.headers.add("Content-Range", fmt::format("bytes {}-{}/{}", selection.range->first,
                                                  selection.range->last, row.size));
  }
  if (selection.by_part && row.parts > 0) {
    head.headers.add("x-amz-mp-parts-count", fmt::format_int(row.parts).c_str());
  }
  const auto checksum = StoredChecksum::parse(row.checksum);
  if (!checksum.empty() && !selection.range &&
      base::equal_ignoring_case(call.header("x-amz-checksum-mode"), "ENABLED")) {
    head.headers.add(checksum.header(), checksum.value);
    head.headers.add("x-amz-checksum-type", checksum.type);
  }
  return head;
}

struct Found {
  ObjectRow row;
  ObjectBytes bytes;
};

Result<Found> find(Services& services, const Call& call) {
  // A HEAD of a whole object needs no bytes: one point read, also for the common 404.
  const bool only_row = call.method() == "HEAD" && !call.has("partNumber");
  if (only_row) {
    HEARTH_TRY(row, meta::object(services.reader, call.bucket(), call.key()));
    return Found{std::move(row), {}};
  }
  const meta::Snapshot snapshot(services.reader);
  HEARTH_CHECK_OK(snapshot.began());
  HEARTH_TRY(row, meta::object(services.reader, call.bucket(), call.key()));
  HEARTH_TRY(bytes, object_bytes(services.reader, row));
  return Found{std::move(row), std::move(bytes)};
}

Task<Status> send_object(Services& services, Call& call, Found found, Selection selection) {
  const http::ResponseHead head = object_head(call, found.row, selection);
  const std::uint64_t length = selection.range ? selection.range->length() : found.row.size;
  http::Exchange& exchange = call.exchange();
  if (call.method() == "HEAD") {
    HEARTH_CO_CHECK_OK(co_await exchange.begin(head, length));
    co_return co_await exchange.finish();
  }
  if (found.bytes.segments.empty()) {
    std::string_view bytes = found.bytes.inline_bytes;
    if (selection.range) bytes = bytes.substr(selection.range->first, selection.range->length());
    co_return co_await exchange.respond(head, bytes);
  }
  HEARTH_CO_CHECK_OK(co_await exchange.begin(head, length));
  std::vector<Segment> segments =
      selection.range ? found.bytes.cut(*selection.range) : std::move(found.bytes.segments);
  const Status sent = co_await send_segments(services, exchange, std::move(segments));
  // finish() closes the connection when fewer bytes went out than promised.
  HEARTH_CO_CHECK_OK(co_await exchange.finish());
  co_return sent;
}

}  // namespace

Task<Status> put_object(Services& services, Call& call) {
  HEARTH_CO_TRY(headers, collect_headers(call.headers()));
  HEARTH_CO_TRY(tags, normalize_tags(call.header("x-amz-tagging")));
  // Refused before the bytes travel; the transaction checks again.
  HEARTH_CO_CHECK_OK(meta::bucket(services.reader, call.bucket()));
  HEARTH_CO_TRY(body, co_await receive_body(services, call, {}));
  ObjectRow row{.bucket = call.bucket(),
                .key = call.key(),
                .size = body.size,
                .etag = body.md5,
                .modified_ms = services.now_ms(),
                .digest = std::move(body.digest),
                .data_id = services.next_data_id(),
                .parts = 0,
                .headers = std::move(headers),
                .tags = std::move(tags),
                .checksum = {}};
  StoredChecksum checksum;
  if (body.algorithm) {
    checksum = {std::string(s3::checksum_name(*body.algorithm)), "FULL_OBJECT", body.checksum};
    row.checksum = checksum.text();
  }
  http::ResponseHead head = call.head(200);
  head.headers.add("ETag", "\"" + row.etag + "\"");
  if (!checksum.empty()) {
    head.headers.add(checksum.header(), checksum.value);
    head.headers.add("x-amz-checksum-type", checksum.type);
  }
  ObjectEvent event{ObjectEvent::Kind::kCreated, row.bucket, row.key, row.etag, row.size};
  HEARTH_CO_TRY(
      published,
      co_await services.writer.write<bool>(
          [row = std::move(row), bytes = std::move(body.bytes),
           conditions = WriteConditions::from(call.headers())](sqlite::Database& database) {
            return publish(database, row, bytes, conditions);
          }));
  services.tell(std::move(event));
  co_return co_await call.exchange().respond(head, "");
}

Task<Status> get_object(Services& services, Call& call) {
  HEARTH_CO_CHECK_OK(check_version(call));
  HEARTH_CO_TRY(found, find(services, call));
  HEARTH_CO_TRY(verdict, evaluate_read(call.headers(), found.row.existing()));
  if (verdict == ReadVerdict::kNotModified) {
    http::ResponseHead head = call.head(304);
    head.headers.add("ETag", "\"" + found.row.etag + "\"");
    head.headers.add("Last-Modified", http_time(found.row.modified_ms));
    co_return co_await call.exchange().respond(head, "");
  }
  HEARTH_CO_TRY(selection, select(call, found.row, found.bytes));
  co_return co_await send_object(services, call, std::move(found), selection);
}

Task<Status> delete_object(Services& services, Call& call) {
  HEARTH_CO_CHECK_OK(check_version(call));
  ObjectEvent event{ObjectEvent::Kind::kRemoved, call.bucket(), call.key(), "", 0};
  HEARTH_CO_TRY(
      removed,
      co_await services.writer.write<bool>([event, if_match = std::string(call.header("If-Match"))](
                                               sqlite::Database& database) -> Result<bool> {
        HEARTH_CHECK_OK(meta::bucket(database, event.bucket));
        if (!if_match.empty()) {
          HEARTH_TRY(old, meta::find_object(database, event.bucket, event.key));
          if (old) {
            const WriteConditions conditions{if_match, ""};
            HEARTH_CHECK_OK(conditions.check(old->existing(), event.key));
          }
        }
        return meta::delete_object(database, event.bucket, event.key);
      }));
  if (removed) services.tell(std::move(event));
  co_return co_await call.respond(204);
}

namespace {

struct DeleteOutcome {
  std::string error_code;  // empty: deleted, or never there
  std::string message;
  bool existed = false;
};

Result<DeleteOutcome> delete_entry(sqlite::Database& database, const std::string& bucket,
                                   const s3::DeleteEntry& entry) {
  DeleteOutcome out;
  if (!entry.version_id.empty() && entry.version_id != "null") {
    return DeleteOutcome{"NoSuchVersion", "The specified version does not exist.", false};
  }
  if (const Status fits = s3::check_key(entry.key); !fits) {
    const WireError wire = wire_error(fits.error());
    return DeleteOutcome{std::string(wire.code), wire.message, false};
  }
  if (!entry.etag.empty()) {
    HEARTH_TRY(old, meta::find_object(database, bucket, entry.key));
    if (old && !etag_matches(entry.etag, old->etag)) {
      return DeleteOutcome{"PreconditionFailed",
                           "At least one of the pre-conditions you specified did not hold", false};
    }
  }
  HEARTH_TRY(existed, meta::delete_object(database, bucket, entry.key));
  out.existed = existed;
  return out;
}

using DeleteOutcomes = std::vector<DeleteOutcome>;

Result<DeleteOutcomes> delete_entries(sqlite::Database& database, const std::string& bucket,
                                      const s3::DeleteRequest& request) {
  HEARTH_CHECK_OK(meta::bucket(database, bucket));
  DeleteOutcomes out;
  for (const s3::DeleteEntry& entry : request.entries) {
    HEARTH_TRY(outcome, delete_entry(database, bucket, entry));
    out.push_back(std::move(outcome));
  }
  return out;
}

bool has_integrity_header(const Call& call) {
  for (const auto field : call.headers()) {
    if (s3::checksum_of_header(field.name)) return true;
  }
  return call.headers().contains("content-md5") || call.headers().contains("x-amz-trailer");
}

}  // namespace

Task<Status> delete_objects(Services& services, Call& call) {
  if (!has_integrity_header(call)) {
    co_return fail(
        invalid_request("Missing required header for this request: Content-MD5 OR "
                        "x-amz-checksum-*"));
  }
  HEARTH_CO_TRY(body, co_await receive_document(services, call));
  HEARTH_CO_TRY(request, s3::parse_delete(body));
  HEARTH_CO_TRY(outcomes, co_await services.writer.write<DeleteOutcomes>(
                              [bucket = call.bucket(), request](sqlite::Database& database) {
                                return delete_entries(database, bucket, request);
                              }));
  s3::XmlWriter xml("DeleteResult");
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const s3::DeleteEntry& entry = request.entries[i];
    const DeleteOutcome& outcome = outcomes[i];
    if (outcome.existed) {
      services.tell({ObjectEvent::Kind::kRemoved, call.bucket(), entry.key, "", 0});
    }
    if (outcome.error_code.empty() && request.quiet) continue;
    xml.open(outcome.error_code.empty() ? "Deleted" : "Error").element("Key", entry.key);
    if (!entry.version_id.empty()) xml.element("VersionId", entry.version_id);
    if (!outcome.error_code.empty()) {
      xml.element("Code", outcome.error_code).element("Message", outcome.message);
    }
    xml.close();
  }
  co_return co_await call.respond_xml(xml.finish());
}

}  // namespace hearth::objectstore
