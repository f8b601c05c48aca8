#include "emulator/registry/ledger.h"

#include <fmt/format.h>

#include "platform/base/failpoint.h"

namespace hearth::registry {
namespace {

std::string_view tag_or_digest(std::string_view reference) {
  return reference.contains(':') ? "digest" : "tag";
}

Result<StoredManifest> read_manifest(sqlite::Statement& row) {
  HEARTH_TRY(digest, oci::Digest::parse(row.text(0)));
  return StoredManifest{
      .digest = digest, .media_type = std::string(row.text(1)), .bytes = std::string(row.text(2))};
}

// Asks for one row more than wanted: that is how "there is more" is known.
Result<Page> read_page(sqlite::Statement row, std::size_t items_max) {
  Page out;
  while (true) {
    HEARTH_TRY(has_row, row.step());
    if (!has_row) return out;
    if (out.items.size() == items_max) {
      out.more = true;
      return out;
    }
    out.items.emplace_back(row.text(0));
  }
}

Status check_blobs(sqlite::Database& database, const ManifestRecord& record) {
  for (const oci::Digest& digest : record.blobs) {
    HEARTH_TRY(size, blob_size(database, record.repository, digest));
    if (!size) {
      return fail(Code::kPreconditionFailed,
                  fmt::format("blob {} is not in {}", digest.text(), record.repository));
    }
  }
  return {};
}

}  // namespace

Result<bool> has_repository(sqlite::Database& database, std::string_view repository) {
  auto row = database.prepare(
      "SELECT 1 FROM registry_manifests WHERE repository = ?1 UNION ALL "
      "SELECT 1 FROM registry_blobs WHERE repository = ?1 LIMIT 1");
  return row.bind(repository).step();
}

Result<std::optional<std::uint64_t>> blob_size(sqlite::Database& database,
                                               std::string_view repository,
                                               const oci::Digest& digest) {
  auto row = database.prepare(
      repository.empty() ? "SELECT size FROM registry_blobs WHERE digest = ? LIMIT 1"
                         : "SELECT size FROM registry_blobs WHERE digest = ? AND repository = ?");
  row.bind(std::string_view(digest.text()));
  if (!repository.empty()) row.bind(repository);
  HEARTH_TRY(found, row.step());
  if (!found) return std::optional<std::uint64_t>();
  return static_cast<std::uint64_t>(row.integer(0));
}

Status link_blob(sqlite::Database& database, const BlobLink& link) {
  auto row = database.prepare(
      "INSERT INTO registry_blobs (repository, digest, size, linked) VALUES (?, ?, ?, ?) "
      "ON CONFLICT DO UPDATE SET linked = excluded.linked");
  return row.bind(std::string_view(link.repository))
      .bind(std::string_view(link.digest.text()))
      .bind(static_cast<std::int64_t>(link.size))
      .bind(link.now)
      .run();
}

Status unlink_blob(sqlite::Database& database, std::string_view repository,
                   const oci::Digest& digest) {
  auto row = database.prepare("DELETE FROM registry_blobs WHERE repository = ? AND digest = ?");
  HEARTH_CHECK_OK(row.bind(repository).bind(std::string_view(digest.text())).run());
  if (database.changes() == 0) return fail(Code::kNotFound, "no such blob");
  return {};
}

Result<StoredManifest> find_manifest(sqlite::Database& database, std::string_view repository,
                                     std::string_view reference) {
  auto row = database.prepare(
      tag_or_digest(reference) == "tag"
          ? "SELECT m.digest, m.media_type, m.bytes FROM registry_tags t JOIN registry_manifests m "
            "ON m.repository = t.repository AND m.digest = t.digest "
            "WHERE t.repository = ? AND t.tag = ?"
          : "SELECT digest, media_type, bytes FROM registry_manifests "
            "WHERE repository = ? AND digest = ?");
  HEARTH_TRY(found, row.bind(repository).bind(reference).step());
  if (!found) {
    return fail(Code::kNotFound, fmt::format("no manifest {} in {}", reference, repository));
  }
  return read_manifest(row);
}

Status put_manifest(sqlite::Database& database, const ManifestRecord& record) {
  HEARTH_CHECK_OK(check_blobs(database, record));
  const std::string_view repository = record.repository;
  const std::string_view digest = record.manifest.digest.text();
  HEARTH_CHECK_OK(database
                      .prepare("INSERT OR REPLACE INTO registry_manifests "
                               "(repository, digest, media_type, subject, bytes, stored) "
                               "VALUES (?, ?, ?, ?, ?, ?)")
                      .bind(repository)
                      .bind(digest)
                      .bind(std::string_view(record.manifest.media_type))
                      .bind(std::string_view(record.subject))
                      .bind_blob(record.manifest.bytes)
                      .bind(record.now)
                      .run());
  for (const oci::Digest& blob : record.blobs) {
    HEARTH_CHECK_OK(database
                        .prepare("INSERT OR IGNORE INTO registry_references "
                                 "(repository, manifest, blob) VALUES (?, ?, ?)")
                        .bind(repository)
                        .bind(digest)
                        .bind(std::string_view(blob.text()))
                        .run());
  }
  HEARTH_CHECK_OK(base::failpoint("registry.put"));
  for (const std::string& tag : record.tags) {
    HEARTH_CHECK_OK(database
                        .prepare("INSERT OR REPLACE INTO registry_tags (repository, tag, digest) "
                                 "VALUES (?, ?, ?)")
                        .bind(repository)
                        .bind(std::string_view(tag))
                        .bind(digest)
                        .run());
  }
  return {};
}

Status remove_manifest(sqlite::Database& database, std::string_view repository,
                       std::string_view reference) {
  const bool is_tag = tag_or_digest(reference) == "tag";
  HEARTH_CHECK_OK(database
                      .prepare(is_tag ? "DELETE FROM registry_tags WHERE repository = ? AND tag = ?"
                                      : "DELETE FROM registry_manifests "
                                        "WHERE repository = ? AND digest = ?")
                      .bind(repository)
                      .bind(reference)
                      .run());
  if (database.changes() == 0) return fail(Code::kNotFound, "no such manifest");
  if (is_tag) return {};
  HEARTH_CHECK_OK(database.prepare("DELETE FROM registry_tags WHERE repository = ? AND digest = ?")
                      .bind(repository)
                      .bind(reference)
                      .run());
  return database.prepare("DELETE FROM registry_references WHERE repository = ? AND manifest = ?")
      .bind(repository)
      .bind(reference)
      .run();
}

Result<std::vector<StoredManifest>> referrers(sqlite::Database& database,
                                              std::string_view repository,
                                              const oci::Digest& subject) {
  auto row = database.prepare(
      "SELECT digest, media_type, bytes FROM registry_manifests "
      "WHERE repository = ? AND subject = ? ORDER BY digest");
  row.bind(repository).bind(std::string_view(subject.text()));
  std::vector<StoredManifest> out;
  while (true) {
    HEARTH_TRY(has_row, row.step());
    if (!has_row) return out;
    HEARTH_TRY(manifest, read_manifest(row));
    out.push_back(std::move(manifest));
  }
}

Result<Page> list_tags(sqlite::Database& database, std::string_view repository,
                       const PageRequest& request) {
  auto row = database.prepare(
      "SELECT tag FROM registry_tags WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?");
  row.bind(repository).bind(std::string_view(request.last));
  row.bind(static_cast<std::int64_t>(request.items_max) + 1);
  return read_page(std::move(row), request.items_max);
}

Result<Page> list_repositories(sqlite::Database& database, const PageRequest& request) {
  auto row = database.prepare(
      "SELECT DISTINCT repository FROM registry_manifests WHERE repository > ? "
      "ORDER BY repository LIMIT ?");
  row.bind(std::string_view(request.last));
  row.bind(static_cast<std::int64_t>(request.items_max) + 1);
  return read_page(std::move(row), request.items_max);
}

Result<std::set<std::string, std::less<>>> live_digests(sqlite::Database& database) {
  auto row = database.prepare("SELECT DISTINCT digest FROM registry_blobs");
  std::set<std::string, std::less<>> out;
  while (true) {
    HEARTH_TRY(has_row, row.step());
    if (!has_row) return out;
    HEARTH_TRY(digest, oci::Digest::parse(row.text(0)));
    out.emplace(digest.hex());
  }
}

Result<std::int64_t> drop_unreferenced(sqlite::Database& database, std::int64_t before) {
  HEARTH_CHECK_OK(database
                      .prepare("DELETE FROM registry_blobs WHERE linked < ? AND NOT EXISTS "
                               "(SELECT 1 FROM registry_references r WHERE r.repository = "
                               "registry_blobs.repository AND r.blob = registry_blobs.digest)")
                      .bind(before)
                      .run());
  return database.changes();
}

}  // namespace hearth::registry
