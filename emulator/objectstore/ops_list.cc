#include <functional>

#include "emulator/objectstore/errors.h"
#include "emulator/objectstore/listing.h"
#include "emulator/objectstore/meta_store.h"
#include "emulator/objectstore/object_headers.h"
#include "emulator/objectstore/ops.h"
#include "platform/base/text.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {
namespace {

constexpr std::int64_t kEntriesMax = 1000;

// What the three kinds of listing have in common.
struct ListRequest {
  ListQuery query;
  bool url_encoded = false;
  std::int64_t max_keys = kEntriesMax;

  std::string text(std::string_view name) const {
    return url_encoded ? base::percent_encode(name, true) : std::string(name);
  }
};

Result<ListRequest> read_request(Services& services, const Call& call) {
  HEARTH_CHECK_OK(meta::bucket(services.reader, call.bucket()));
  ListRequest out;
  const std::string_view encoding = call.parameter("encoding-type");
  if (!encoding.empty() && encoding != "url") {
    return fail(invalid_argument("Invalid Encoding Method specified in Request", "encoding-type",
                                 encoding));
  }
  out.url_encoded = !encoding.empty();
  if (const std::string_view max_keys = call.parameter("max-keys"); !max_keys.empty()) {
    const auto number = base::parse_int<std::int64_t>(max_keys);
    if (!number || *number < 0) {
      return fail(invalid_argument("Argument max-keys must be an integer between 0 and 2147483647",
                                   "max-keys", max_keys));
    }
    out.max_keys = std::min(*number, kEntriesMax);
  }
  out.query = {.bucket = call.bucket(),
               .prefix = std::string(call.parameter("prefix")),
               .delimiter = std::string(call.parameter("delimiter")),
               .after = {},
               .entries_max = static_cast<std::size_t>(out.max_keys)};
  return out;
}

// A marker that is a common prefix itself skips everything below it.
ListMarker marker_of(std::string_view name, const ListQuery& query) {
  ListMarker out{std::string(name), false};
  if (name.starts_with(query.prefix)) {
    const auto rolled_up = common_prefix(name, query.prefix, query.delimiter);
    out.is_prefix = rolled_up && *rolled_up == name;
  }
  return out;
}

void write_owner(s3::XmlWriter& xml) {
  xml.open("Owner").element("ID", kOwnerId).element("DisplayName", kOwnerName).close();
}

void write_contents(s3::XmlWriter& xml, const ListRequest& request, const ListedEntry& entry,
                    bool with_owner) {
  xml.open("Contents").element("Key", request.text(entry.name));
  xml.element("LastModified", iso_time(entry.modified_ms));
  xml.element("ETag", "\"" + entry.etag + "\"");
  if (const auto checksum = StoredChecksum::parse(entry.checksum); !checksum.empty()) {
    xml.element("ChecksumAlgorithm", checksum.algorithm).element("ChecksumType", checksum.type);
  }
  xml.element("Size", static_cast<std::int64_t>(entry.size)).element("StorageClass", "STANDARD");
  if (with_owner) write_owner(xml);
  xml.close();
}

void write_version(s3::XmlWriter& xml, const ListRequest& request, const ListedEntry& entry) {
  xml.open("Version").element("Key", request.text(entry.name)).element("VersionId", "null");
  xml.flag("IsLatest", true).element("LastModified", iso_time(entry.modified_ms));
  xml.element("ETag", "\"" + entry.etag + "\"");
  xml.element("Size", static_cast<std::int64_t>(entry.size)).element("StorageClass", "STANDARD");
  write_owner(xml);
  xml.close();
}

// The elements before the entries that all kinds share.
void write_top(s3::XmlWriter& xml, const ListRequest& request, const Listing& listing) {
  xml.element("Name", request.query.bucket);
  xml.element("Prefix", request.text(request.query.prefix));
  xml.element("MaxKeys", request.max_keys);
  if (!request.query.delimiter.empty()) {
    xml.element("Delimiter", request.text(request.query.delimiter));
  }
  if (request.url_encoded) xml.element("EncodingType", "url");
  xml.flag("IsTruncated", listing.truncated);
}

void write_entries(s3::XmlWriter& xml, const ListRequest& request, const Listing& listing,
                   const std::function<void(const ListedEntry&)>& write) {
  for (const ListedEntry& entry : listing.entries) {
    if (!entry.is_prefix) write(entry);
  }
  for (const ListedEntry& entry : listing.entries) {
    if (!entry.is_prefix) continue;
    xml.open("CommonPrefixes").element("Prefix", request.text(entry.name)).close();
  }
}

}  // namespace

Task<Status> list_objects(Services& services, Call& call) {
  HEARTH_CO_TRY(request, read_request(services, call));
  request.query.after = marker_of(call.parameter("marker"), request.query);
  HEARTH_CO_TRY(listing, list_keys(services.reader, request.query));
  s3::XmlWriter xml("ListBucketResult");
  write_top(xml, request, listing);
  xml.element("Marker", request.text(call.parameter("marker")));
  // Without a delimiter clients go on from the last key they saw.
  if (listing.truncated && !request.query.delimiter.empty()) {
    xml.element("NextMarker", request.text(listing.last().name));
  }
  write_entries(xml, request, listing,
                [&](const ListedEntry& entry) { write_contents(xml, request, entry, true); });
  co_return co_await call.respond_xml(xml.finish());
}

Task<Status> list_objects_v2(Services& services, Call& call) {
  HEARTH_CO_TRY(request, read_request(services, call));
  const auto token = call.parameter_of("continuation-token");
  const std::string_view start_after = call.parameter("start-after");
  if (token) {
    const auto marker = decode_token(*token);
    if (!marker) {
      co_return fail(invalid_argument("The continuation token provided is incorrect",
                                      "continuation-token", *token));
    }
    request.query.after = *marker;
  } else {
    request.query.after = marker_of(start_after, request.query);
  }
  HEARTH_CO_TRY(listing, list_keys(services.reader, request.query));
  s3::XmlWriter xml("ListBucketResult");
  write_top(xml, request, listing);
  xml.element("KeyCount", static_cast<std::int64_t>(listing.entries.size()));
  if (token) xml.element("ContinuationToken", *token);
  if (!start_after.empty()) xml.element("StartAfter", request.text(start_after));
  if (listing.truncated) xml.element("NextContinuationToken", encode_token(listing.last()));
  const bool with_owner = call.parameter("fetch-owner") == "true";
  write_entries(xml, request, listing,
                [&](const ListedEntry& entry) { write_contents(xml, request, entry, with_owner); });
  co_return co_await call.respond_xml(xml.finish());
}

// Buckets are never versioned: every object is its own latest version "null".
Task<Status> list_object_versions(Services& services, Call& call) {
  HEARTH_CO_TRY(request, read_request(services, call));
  request.query.after = marker_of(call.parameter("key-marker"), request.query);
  HEARTH_CO_TRY(listing, list_keys(services.reader, request.query));
  s3::XmlWriter xml("ListVersionsResult");
  write_top(xml, request, listing);
  xml.element("KeyMarker", request.text(call.parameter("key-marker")));
  xml.element("VersionIdMarker", call.parameter("version-id-marker"));
  if (listing.truncated) {
    xml.element("NextKeyMarker", request.text(listing.last().name));
    xml.element("NextVersionIdMarker", "null");
  }
  write_entries(xml, request, listing,
                [&](const ListedEntry& entry) { write_version(xml, request, entry); });
  co_return co_await call.respond_xml(xml.finish());
}

}  // namespace hearth::objectstore
