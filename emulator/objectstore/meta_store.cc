#include "emulator/objectstore/meta_store.h"

#include "emulator/objectstore/errors.h"
#include "platform/base/failpoint.h"
#include "platform/s3/error_code.h"

namespace hearth::objectstore::meta {
namespace {

constexpr std::string_view kSelectObject =
    "SELECT bucket,key,size,etag,modified_ms,digest,data_id,parts,headers,tags,checksum "
    "FROM s3_objects WHERE bucket=? AND key=?";

ObjectRow object_of(const sqlite::Statement& row) {
  return {.bucket = std::string(row.text(0)),
          .key = std::string(row.text(1)),
          .size = static_cast<std::uint64_t>(row.integer(2)),
          .etag = std::string(row.text(3)),
          .modified_ms = row.integer(4),
          .digest = std::string(row.text(5)),
          .data_id = row.integer(6),
          .parts = static_cast<int>(row.integer(7)),
          .headers = std::string(row.text(8)),
          .tags = std::string(row.text(9)),
          .checksum = std::string(row.text(10))};
}

Bucket bucket_of(const sqlite::Statement& row) {
  return {.name = std::string(row.text(0)),
          .created_ms = row.integer(1),
          .region = std::string(row.text(2)),
          .tags = std::string(row.text(3))};
}

Status delete_data(sqlite::Database& database, std::int64_t data_id) {
  if (data_id == 0) return {};
  HEARTH_CHECK_OK(database.prepare("DELETE FROM s3_inline WHERE id=?").bind(data_id).run());
  return database.prepare("DELETE FROM s3_object_parts WHERE data_id=?").bind(data_id).run();
}

}  // namespace

Snapshot::Snapshot(sqlite::Database& database) : database_(database) {
  began_ = database_.prepare("BEGIN").run();
}
Snapshot::~Snapshot() {
  // It only read: there is nothing to lose.
  (void)database_.prepare("COMMIT").run();
}

Result<Bucket> bucket(sqlite::Database& database, std::string_view name) {
  auto row = database.prepare("SELECT name,created_ms,region,tags FROM s3_buckets WHERE name=?");
  HEARTH_TRY(found, row.bind(name).step());
  if (!found) return fail(no_such_bucket(name));
  return bucket_of(row);
}

Result<std::vector<Bucket>> buckets(sqlite::Database& database) {
  auto row = database.prepare("SELECT name,created_ms,region,tags FROM s3_buckets ORDER BY name");
  std::vector<Bucket> out;
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return out;
    out.push_back(bucket_of(row));
  }
}

Status create_bucket(sqlite::Database& database, const Bucket& value) {
  auto insert =
      database.prepare("INSERT OR IGNORE INTO s3_buckets(name,created_ms,region) VALUES(?,?,?)");
  HEARTH_CHECK_OK(insert.bind(value.name).bind(value.created_ms).bind(value.region).run());
  if (database.changes() == 1) return {};
  return s3::s3_fail("BucketAlreadyOwnedByYou",
                     "Your previous request to create the named bucket succeeded and you already "
                     "own it.",
                     {{"BucketName", value.name}});
}

Status delete_bucket(sqlite::Database& database, std::string_view name) {
  HEARTH_CHECK_OK(bucket(database, name));
  {
    auto any = database.prepare("SELECT 1 FROM s3_objects WHERE bucket=? LIMIT 1");
    HEARTH_TRY(found, any.bind(name).step());
    if (found) {
      return s3::s3_fail("BucketNotEmpty", "The bucket you tried to delete is not empty",
                         {{"BucketName", name}});
    }
  }
  // Unfinished uploads go with their bucket.
  HEARTH_CHECK_OK(database
                      .prepare("DELETE FROM s3_upload_parts WHERE upload_id IN "
                               "(SELECT id FROM s3_uploads WHERE bucket=?)")
                      .bind(name)
                      .run());
  HEARTH_CHECK_OK(database.prepare("DELETE FROM s3_uploads WHERE bucket=?").bind(name).run());
  return database.prepare("DELETE FROM s3_buckets WHERE name=?").bind(name).run();
}

Status set_bucket_tags(sqlite::Database& database, std::string_view name, std::string_view tags) {
  HEARTH_CHECK_OK(bucket(database, name));
  auto update = database.prepare("UPDATE s3_buckets SET tags=? WHERE name=?");
  return update.bind(tags).bind(name).run();
}

Result<std::optional<ObjectRow>> find_object(sqlite::Database& database, std::string_view bucket,
                                             std::string_view key) {
  auto row = database.prepare(kSelectObject);
  HEARTH_TRY(found, row.bind(bucket).bind(key).step());
  if (!found) return std::nullopt;
  return object_of(row);
}

Result<ObjectRow> object(sqlite::Database& database, std::string_view bucket_name,
                         std::string_view key) {
  HEARTH_TRY(found, find_object(database, bucket_name, key));
  if (found) return std::move(*found);
  HEARTH_CHECK_OK(bucket(database, bucket_name));
  return fail(no_such_key(key));
}

Result<std::string> inline_bytes(sqlite::Database& database, std::int64_t data_id) {
  auto row = database.prepare("SELECT bytes FROM s3_inline WHERE id=?");
  HEARTH_TRY(found, row.bind(data_id).step());
  if (!found) return fail(Code::kCorrupt, "inline bytes are missing");
  return std::string(row.text(0));
}

Result<std::vector<Part>> object_parts(sqlite::Database& database, std::int64_t data_id) {
  auto row = database.prepare(
      "SELECT number,size,digest,checksum FROM s3_object_parts WHERE data_id=? ORDER BY number");
  row.bind(data_id);
  std::vector<Part> out;
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return out;
    out.push_back({.number = static_cast<int>(row.integer(0)),
                   .size = static_cast<std::uint64_t>(row.integer(1)),
                   .digest = std::string(row.text(2)),
                   .etag = {},
                   .checksum = std::string(row.text(3))});
  }
}

Status put_object(sqlite::Database& database, const ObjectRow& row, std::string_view bytes) {
  HEARTH_CHECK_OK(delete_object(database, row.bucket, row.key));
  HEARTH_CHECK_OK(database
                      .prepare("INSERT INTO s3_objects(bucket,key,size,etag,modified_ms,digest,"
                               "data_id,parts,headers,tags,checksum) VALUES(?,?,?,?,?,?,?,?,?,?,?)")
                      .bind(row.bucket)
                      .bind(row.key)
                      .bind(static_cast<std::int64_t>(row.size))
                      .bind(row.etag)
                      .bind(row.modified_ms)
                      .bind(row.digest)
                      .bind(row.data_id)
                      .bind(row.parts)
                      .bind(row.headers)
                      .bind(row.tags)
                      .bind(row.checksum)
                      .run());
  HEARTH_CHECK_OK(base::failpoint("s3.put"));
  if (bytes.empty()) return {};
  auto insert = database.prepare("INSERT INTO s3_inline(id,bytes) VALUES(?,?)");
  return insert.bind(row.data_id).bind_blob(bytes).run();
}

Status add_object_part(sqlite::Database& database, std::int64_t data_id, const Part& part) {
  return database
      .prepare(
          "INSERT INTO s3_object_parts(data_id,number,size,digest,checksum) "
          "VALUES(?,?,?,?,?)")
      .bind(data_id)
      .bind(part.number)
      .bind(static_cast<std::int64_t>(part.size))
      .bind(part.digest)
      .bind(part.checksum)
      .run();
}

Status copy_data(sqlite::Database& database, std::int64_t from, std::int64_t to) {
  HEARTH_CHECK_OK(database
                      .prepare("INSERT INTO s3_inline(id,bytes) SELECT ?,bytes FROM s3_inline "
                               "WHERE id=?")
                      .bind(to)
                      .bind(from)
                      .run());
  return database
      .prepare(
          "INSERT INTO s3_object_parts(data_id,number,size,digest,checksum) "
          "SELECT ?,number,size,digest,checksum FROM s3_object_parts WHERE data_id=?")
      .bind(to)
      .bind(from)
      .run();
}

Status set_object_tags(sqlite::Database& database, std::string_view bucket, std::string_view key,
                       std::string_view tags) {
  HEARTH_CHECK_OK(object(database, bucket, key));
  auto update = database.prepare("UPDATE s3_objects SET tags=? WHERE bucket=? AND key=?");
  return update.bind(tags).bind(bucket).bind(key).run();
}

Result<bool> delete_object(sqlite::Database& database, std::string_view bucket,
                           std::string_view key) {
  std::int64_t data_id = 0;
  {
    auto row = database.prepare("SELECT data_id FROM s3_objects WHERE bucket=? AND key=?");
    HEARTH_TRY(found, row.bind(bucket).bind(key).step());
    if (!found) return false;
    data_id = row.integer(0);
  }
  HEARTH_CHECK_OK(delete_data(database, data_id));
  auto remove = database.prepare("DELETE FROM s3_objects WHERE bucket=? AND key=?");
  HEARTH_CHECK_OK(remove.bind(bucket).bind(key).run());
  return true;
}

Result<Upload> upload(sqlite::Database& database, std::string_view bucket_name,
                      std::string_view key, std::string_view id) {
  auto row = database.prepare(
      "SELECT initiated_ms,headers,tags,checksum_algorithm,checksum_type,completed_etag "
      "FROM s3_uploads WHERE bucket=? AND key=? AND id=?");
  HEARTH_TRY(found, row.bind(bucket_name).bind(key).bind(id).step());
  if (!found) {
    HEARTH_CHECK_OK(bucket(database, bucket_name));
    return fail(no_such_upload(id));
  }
  return Upload{.bucket = std::string(bucket_name),
                .key = std::string(key),
                .id = std::string(id),
                .initiated_ms = row.integer(0),
                .headers = std::string(row.text(1)),
                .tags = std::string(row.text(2)),
                .checksum_algorithm = std::string(row.text(3)),
                .checksum_type = std::string(row.text(4)),
                .completed_etag = std::string(row.text(5))};
}

Status create_upload(sqlite::Database& database, const Upload& value) {
  return database
      .prepare(
          "INSERT INTO s3_uploads(bucket,key,id,initiated_ms,headers,tags,checksum_algorithm,"
          "checksum_type) VALUES(?,?,?,?,?,?,?,?)")
      .bind(value.bucket)
      .bind(value.key)
      .bind(value.id)
      .bind(value.initiated_ms)
      .bind(value.headers)
      .bind(value.tags)
      .bind(value.checksum_algorithm)
      .bind(value.checksum_type)
      .run();
}

Status put_part(sqlite::Database& database, std::string_view upload_id, const Part& part) {
  return database
      .prepare(
          "INSERT OR REPLACE INTO s3_upload_parts(upload_id,number,size,digest,etag,checksum,"
          "modified_ms) VALUES(?,?,?,?,?,?,?)")
      .bind(upload_id)
      .bind(part.number)
      .bind(static_cast<std::int64_t>(part.size))
      .bind(part.digest)
      .bind(part.etag)
      .bind(part.checksum)
      .bind(part.modified_ms)
      .run();
}

Result<std::vector<Part>> upload_parts(sqlite::Database& database, std::string_view upload_id,
                                       int after, int limit) {
  auto row = database.prepare(
      "SELECT number,size,digest,etag,checksum,modified_ms FROM s3_upload_parts "
      "WHERE upload_id=? AND number>? ORDER BY number LIMIT ?");
  row.bind(upload_id).bind(after).bind(limit);
  std::vector<Part> out;
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return out;
    out.push_back({.number = static_cast<int>(row.integer(0)),
                   .size = static_cast<std::uint64_t>(row.integer(1)),
                   .digest = std::string(row.text(2)),
                   .etag = std::string(row.text(3)),
                   .checksum = std::string(row.text(4)),
                   .modified_ms = row.integer(5)});
  }
}

Status finish_upload(sqlite::Database& database, const Upload& value, std::string_view etag) {
  HEARTH_CHECK_OK(
      database.prepare("DELETE FROM s3_upload_parts WHERE upload_id=?").bind(value.id).run());
  return database
      .prepare("UPDATE s3_uploads SET completed_etag=? WHERE bucket=? AND key=? AND id=?")
      .bind(etag)
      .bind(value.bucket)
      .bind(value.key)
      .bind(value.id)
      .run();
}

Status delete_upload(sqlite::Database& database, const Upload& value) {
  HEARTH_CHECK_OK(
      database.prepare("DELETE FROM s3_upload_parts WHERE upload_id=?").bind(value.id).run());
  return database.prepare("DELETE FROM s3_uploads WHERE bucket=? AND key=? AND id=?")
      .bind(value.bucket)
      .bind(value.key)
      .bind(value.id)
      .run();
}

Status prune_uploads(sqlite::Database& database, std::int64_t before_ms) {
  auto remove =
      database.prepare("DELETE FROM s3_uploads WHERE completed_etag<>'' AND initiated_ms<?");
  return remove.bind(before_ms).run();
}

Result<std::int64_t> last_data_id(sqlite::Database& database) {
  auto row = database.prepare(
      "SELECT max(coalesce((SELECT max(id) FROM s3_inline),0),"
      "coalesce((SELECT max(data_id) FROM s3_object_parts),0),"
      // Objects whose bytes are a blob have a number too: given again, it would let the end of the
      // one delete the bytes of the other.
      "coalesce((SELECT max(data_id) FROM s3_objects),0))");
  HEARTH_TRY(found, row.step());
  return found ? row.integer(0) : 0;
}

Result<std::unordered_set<std::string>> live_digests(sqlite::Database& database) {
  auto row = database.prepare(
      "SELECT digest FROM s3_objects WHERE digest<>'' UNION ALL SELECT digest FROM s3_object_parts "
      "UNION ALL SELECT digest FROM s3_upload_parts");
  std::unordered_set<std::string> out;
  while (true) {
    HEARTH_TRY(more, row.step());
    if (!more) return out;
    out.emplace(row.text(0));
  }
}

}  // namespace hearth::objectstore::meta
