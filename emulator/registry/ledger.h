// What the registry knows: manifests (verbatim, inline), tags, and which blob belongs to which
// repository. Functions over a database: reads on the registry's own connection, writes within a
// work of the one writer. Blob bytes live in blobs::BlobStore.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "platform/base/result.h"
#include "platform/oci/digest.h"
#include "platform/sqlite/database.h"

namespace hearth::registry {

inline constexpr std::string_view kRoom = "registry";
// Digests are text with their algorithm; `subject` is '' when there is none; times are seconds.
inline constexpr std::array<std::string_view, 1> kMigrations = {R"sql(
  CREATE TABLE registry_blobs (
    repository TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, linked INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)) WITHOUT ROWID;
  CREATE INDEX registry_blobs_digest ON registry_blobs (digest);
  CREATE TABLE registry_manifests (
    repository TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL,
    subject TEXT NOT NULL, bytes BLOB NOT NULL, stored INTEGER NOT NULL,
    PRIMARY KEY (repository, digest));
  CREATE INDEX registry_manifests_subject ON registry_manifests (repository, subject);
  CREATE TABLE registry_tags (
    repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (repository, tag)) WITHOUT ROWID;
  CREATE TABLE registry_references (
    repository TEXT NOT NULL, manifest TEXT NOT NULL, blob TEXT NOT NULL,
    PRIMARY KEY (repository, manifest, blob)) WITHOUT ROWID;
  CREATE INDEX registry_references_blob ON registry_references (repository, blob);
)sql"};

struct StoredManifest {
  oci::Digest digest;
  std::string media_type;
  std::string bytes;
};

struct ManifestRecord {
  std::string repository;
  std::vector<std::string> tags;
  StoredManifest manifest;
  std::string subject;
  std::vector<oci::Digest> blobs;  // that must be linked to the repository
  std::int64_t now = 0;
};

struct BlobLink {
  std::string repository;
  oci::Digest digest;
  std::uint64_t size = 0;
  std::int64_t now = 0;
};

struct Page {
  std::vector<std::string> items;
  bool more = false;
};
struct PageRequest {
  std::string last;  // items after this one
  std::size_t items_max = 1000;
};

Result<bool> has_repository(sqlite::Database& database, std::string_view repository);
// The size of a blob of the repository. An empty repository means any.
Result<std::optional<std::uint64_t>> blob_size(sqlite::Database& database,
                                               std::string_view repository,
                                               const oci::Digest& digest);
Status link_blob(sqlite::Database& database, const BlobLink& link);
// kNotFound when it was not linked.
Status unlink_blob(sqlite::Database& database, std::string_view repository,
                   const oci::Digest& digest);

// `reference` is a tag or a digest. kNotFound.
Result<StoredManifest> find_manifest(sqlite::Database& database, std::string_view repository,
                                     std::string_view reference);
// kPreconditionFailed names the first blob that is not linked.
Status put_manifest(sqlite::Database& database, const ManifestRecord& record);
// Removes a tag, or a manifest with all tags on it. kNotFound.
Status remove_manifest(sqlite::Database& database, std::string_view repository,
                       std::string_view reference);
Result<std::vector<StoredManifest>> referrers(sqlite::Database& database,
                                              std::string_view repository,
                                              const oci::Digest& subject);

Result<Page> list_tags(sqlite::Database& database, std::string_view repository,
                       const PageRequest& request);
Result<Page> list_repositories(sqlite::Database& database, const PageRequest& request);

// Hex digests of all linked blobs, as BlobStore names them.
Result<std::set<std::string, std::less<>>> live_digests(sqlite::Database& database);
// Links made before `before` that no manifest of their repository needs. Returns how many.
Result<std::int64_t> drop_unreferenced(sqlite::Database& database, std::int64_t before);

}  // namespace hearth::registry
