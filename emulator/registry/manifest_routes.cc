// Manifests: pull, push, removal, and the referrers of a subject.
#include <algorithm>

#include <fmt/format.h>

#include "emulator/registry/errors.h"
#include "emulator/registry/registry.h"
#include "platform/base/json.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/http/exchange.h"
#include "platform/oci/manifest.h"
#include "platform/oci/reference.h"

namespace hearth::registry {
namespace {

// What a manifest means to the registry: the blobs it needs and the manifest it is about.
struct Facts {
  std::string media_type;
  std::vector<oci::Descriptor> blobs;
  std::string subject;
};

Result<Facts> read_image(std::string_view bytes) {
  HEARTH_TRY(manifest, oci::parse_manifest(bytes));
  Facts out;
  out.blobs.push_back(*manifest.config);
  for (oci::Descriptor& layer : manifest.layers) {
    if (!oci::is_foreign_layer_type(layer.media_type)) out.blobs.push_back(std::move(layer));
  }
  if (manifest.subject) out.subject = manifest.subject->digest.text();
  return out;
}

Result<Facts> read_facts(std::string media_type, std::string_view bytes) {
  if (media_type.contains("docker.distribution.manifest.v1+")) {
    return fail(Code::kInvalid, "Docker's schema 1 manifests are not accepted");
  }
  HEARTH_TRY(json, base::parse_json(bytes));
  const std::string own_type = base::string_at(json, {"mediaType"});
  if (media_type.empty()) media_type = own_type.empty() ? std::string(oci::kOciManifest) : own_type;
  if (!own_type.empty() && own_type != media_type) {
    return fail(Code::kInvalid,
                fmt::format("mediaType is {}, Content-Type is {}", own_type, media_type));
  }
  Result<Facts> out = Facts();
  if (oci::is_manifest_type(media_type)) {
    out = read_image(bytes);
  } else if (oci::is_index_type(media_type)) {
    // Indexes may name platforms that nobody pushed here (sparse indexes): no check.
    HEARTH_TRY(index, oci::parse_index(bytes));
    if (index.subject) out->subject = index.subject->digest.text();
  } else {
    out->subject = base::string_at(json, {"subject", "digest"});
  }
  if (out) out->media_type = std::move(media_type);
  return out;
}

std::string plain_media_type(const http::Exchange& exchange) {
  const std::string_view value = exchange.request().headers.get_or("content-type", {});
  return std::string(base::trim(value.substr(0, value.find(';'))));
}

struct Refusal {
  WireError error;
  std::string message;
};

// Adds tags and meaning to a record that has its bytes. `reference` is the path's tag or digest;
// the query may name more tags.
std::optional<Refusal> complete(ManifestRecord& record, const std::string& reference,
                                const std::vector<http::QueryParameter>& query,
                                std::string media_type) {
  if (!reference.contains(':')) {
    record.tags.push_back(reference);
  } else if (reference != record.manifest.digest.text()) {
    return Refusal{WireError::kDigestInvalid,
                   fmt::format("the bytes have digest {}", record.manifest.digest.text())};
  }
  for (const auto& item : query) {
    if (item.name == "tag") record.tags.push_back(item.value);
  }
  if (!std::ranges::all_of(record.tags, oci::is_tag)) {
    return Refusal{WireError::kManifestInvalid, "that is no tag"};
  }
  auto facts = read_facts(std::move(media_type), record.manifest.bytes);
  if (!facts) return Refusal{WireError::kManifestInvalid, facts.error().message};
  record.manifest.media_type = facts->media_type;
  record.subject = facts->subject;
  for (const oci::Descriptor& blob : facts->blobs) record.blobs.push_back(blob.digest);
  return std::nullopt;
}

// The descriptor of a referrer (spec.md §listing-referrers): artifactType falls back to the
// config's media type, annotations are copied.
oci::Descriptor referrer_descriptor(const StoredManifest& stored) {
  oci::Descriptor out{
      .media_type = stored.media_type, .digest = stored.digest, .size = stored.bytes.size()};
  const auto json = base::parse_json(stored.bytes);
  if (!json) return out;
  out.artifact_type = base::string_at(*json, {"artifactType"});
  if (out.artifact_type.empty()) {
    out.artifact_type = base::string_at(*json, {"config", "mediaType"});
  }
  const Json* annotations = base::find(*json, {"annotations"});
  if (annotations != nullptr && annotations->is_object()) {
    for (const auto& [key, value] : annotations->items()) {
      if (value.is_string()) out.annotations[key] = value.get<std::string>();
    }
  }
  return out;
}

WireError manifest_error(const Error& error) {
  switch (error.code) {
    case Code::kPreconditionFailed:
      return WireError::kManifestBlobUnknown;
    case Code::kNotFound:
      return WireError::kManifestUnknown;
    default:
      return wire_error(error);
  }
}

}  // namespace

Task<Status> Registry::manifest(http::Exchange& exchange, Route route, Query query) {
  const std::string& method = exchange.request().method;
  const bool is_digest = route.item.contains(':');
  if (is_digest && !oci::Digest::parse(route.item)) {
    co_return co_await respond_error(exchange, WireError::kDigestInvalid,
                                     "the reference is no sha256 digest");
  }
  if (method == "PUT") {
    co_return co_await accept_manifest(exchange, std::move(route), std::move(query));
  }
  if (method == "DELETE") co_return co_await remove(exchange, std::move(route));
  if (method != "GET" && method != "HEAD") {
    co_return co_await respond_error(exchange, WireError::kUnsupported,
                                     "use GET, HEAD, PUT or DELETE");
  }
  const auto found = find_manifest(route.repository, route.item);
  if (!found) {
    co_return co_await respond_error(exchange, manifest_error(found.error()),
                                     found.error().message);
  }
  http::ResponseHead head;
  head.headers.add("Content-Type", found->media_type);
  head.headers.add("Docker-Content-Digest", found->digest.text());
  head.headers.add("ETag", fmt::format("\"{}\"", found->digest.text()));
  co_return co_await exchange.respond(head, found->bytes);
}

Task<Status> Registry::accept_manifest(http::Exchange& exchange, Route route, Query query) {
  auto bytes = co_await exchange.read_all(limits::kManifestBytesMax);
  if (!bytes) {
    const Code code = bytes.error().code;
    const WireError error = code == Code::kTooLarge      ? WireError::kManifestTooLarge
                            : code == Code::kUnavailable ? WireError::kUnavailable
                                                         : WireError::kManifestInvalid;
    co_return co_await respond_error(exchange, error, bytes.error().message);
  }
  ManifestRecord record{
      .repository = route.repository,
      .tags = {},
      .manifest = {.digest = oci::Digest::of(*bytes), .media_type = {}, .bytes = std::move(*bytes)},
      .subject = {},
      .blobs = {},
      .now = now()};
  if (const auto refusal = complete(record, route.item, query, plain_media_type(exchange))) {
    co_return co_await respond_error(exchange, refusal->error, refusal->message);
  }
  http::ResponseHead head{.status = 201, .headers = {}};
  head.headers.add("Location", fmt::format("/v2/{}/manifests/{}", route.repository, route.item));
  head.headers.add("Docker-Content-Digest", record.manifest.digest.text());
  if (!record.subject.empty()) head.headers.add("OCI-Subject", record.subject);
  for (const auto& item : query) {
    if (item.name == "tag") head.headers.add("OCI-Tag", item.value);
  }
  const Status stored = co_await store(std::move(record), {});
  if (!stored) {
    co_return co_await respond_error(exchange, manifest_error(stored.error()),
                                     stored.error().message);
  }
  co_return co_await exchange.respond(head, {});
}

Task<Status> Registry::store(ManifestRecord record, std::vector<BlobLink> links) {
  const auto written =
      co_await writer_.write<bool>([record = std::move(record), links = std::move(links)](
                                       sqlite::Database& database) -> Result<bool> {
        for (const BlobLink& item : links) HEARTH_CHECK_OK(link_blob(database, item));
        HEARTH_CHECK_OK(registry::put_manifest(database, record));
        return true;
      });
  co_return written ? Status() : fail(written.error());
}

Task<Result<oci::Digest>> Registry::put_manifest(std::string repository, std::string tag,
                                                 std::string media_type, std::string bytes) {
  if (!oci::is_repository_name(repository) || (!tag.empty() && !oci::is_tag(tag))) {
    co_return fail(Code::kInvalid, fmt::format("\"{}:{}\" is no image name", repository, tag));
  }
  HEARTH_CO_TRY(facts, read_facts(std::move(media_type), bytes));
  std::vector<BlobLink> links;
  const oci::Digest digest = oci::Digest::of(bytes);
  ManifestRecord record{
      .repository = repository,
      .tags = {},
      .manifest = {.digest = digest, .media_type = facts.media_type, .bytes = std::move(bytes)},
      .subject = facts.subject,
      .blobs = {},
      .now = now()};
  if (!tag.empty()) record.tags.push_back(std::move(tag));
  for (const oci::Descriptor& blob : facts.blobs) {
    record.blobs.push_back(blob.digest);
    if (blobs_.contains(blob.digest.hex())) {
      links.push_back(
          {.repository = repository, .digest = blob.digest, .size = blob.size, .now = record.now});
    }
  }
  HEARTH_CO_CHECK_OK(co_await store(std::move(record), std::move(links)));
  co_return digest;
}

Task<Status> Registry::remove(http::Exchange& exchange, Route route) {
  const auto removed =
      co_await writer_.write<bool>([route](sqlite::Database& database) -> Result<bool> {
        HEARTH_CHECK_OK(remove_manifest(database, route.repository, route.item));
        return true;
      });
  if (removed) co_return co_await exchange.respond({.status = 202, .headers = {}}, {});
  co_return co_await respond_error(exchange, manifest_error(removed.error()),
                                   removed.error().message);
}

Task<Status> Registry::send_referrers(http::Exchange& exchange, Route route, Query query) {
  const auto subject = oci::Digest::parse(route.item);
  if (!subject) {
    co_return co_await respond_error(exchange, WireError::kDigestInvalid, subject.error().message);
  }
  const auto found = referrers(database_, route.repository, *subject);
  if (!found) {
    co_return co_await respond_error(exchange, WireError::kUnknown, found.error().message);
  }
  const std::string_view wanted = query_value(query, "artifactType");
  oci::Index index;
  for (const StoredManifest& stored : *found) {
    oci::Descriptor item = referrer_descriptor(stored);
    if (wanted.empty() || item.artifact_type == wanted) index.manifests.push_back(std::move(item));
  }
  http::ResponseHead head;
  head.headers.add("Content-Type", oci::kOciIndex);
  if (!wanted.empty()) head.headers.add("OCI-Filters-Applied", "artifactType");
  co_return co_await exchange.respond(head, oci::dump(index));
}

}  // namespace hearth::registry
