// The object store's SQL: values in, values out, no protocol. Functions take the connection: the
// same ones serve reads on the loop and works on the writer's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "emulator/objectstore/conditions.h"
#include "platform/base/result.h"
#include "platform/sqlite/database.h"

namespace hearth::objectstore {

struct Bucket {
  std::string name;
  std::int64_t created_ms = 0;
  std::string region;
  std::string tags;  // form-encoded
};

struct ObjectRow {
  std::string bucket;
  std::string key;
  std::uint64_t size = 0;
  std::string etag;  // without quotes
  std::int64_t modified_ms = 0;
  std::string digest;  // of the blob; empty: inline or in parts
  std::int64_t data_id = 0;
  int parts = 0;         // of a multipart object
  std::string headers;   // "name: value\n" for each
  std::string tags;      // form-encoded
  std::string checksum;  // "CRC32:FULL_OBJECT:base64" or empty

  Existing existing() const { return {etag, modified_ms}; }
};

struct Part {
  int number = 0;
  std::uint64_t size = 0;
  std::string digest;
  std::string etag;
  std::string checksum;  // base64
  std::int64_t modified_ms = 0;
};

struct Upload {
  std::string bucket;
  std::string key;
  std::string id;
  std::int64_t initiated_ms = 0;
  std::string headers;
  std::string tags;
  std::string checksum_algorithm;
  std::string checksum_type;
  std::string completed_etag;  // not empty: finished; kept for repeated requests
};

namespace meta {

// A consistent view over several reads of one connection.
class Snapshot {
 public:
  explicit Snapshot(sqlite::Database& database);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  const Status& began() const { return began_; }

 private:
  sqlite::Database& database_;
  Status began_;
};

// Buckets. NoSuchBucket when there is none.
Result<Bucket> bucket(sqlite::Database& database, std::string_view name);
Result<std::vector<Bucket>> buckets(sqlite::Database& database);
Status create_bucket(sqlite::Database& database, const Bucket& bucket);
Status delete_bucket(sqlite::Database& database, std::string_view name);
Status set_bucket_tags(sqlite::Database& database, std::string_view name, std::string_view tags);

// Objects
Result<std::optional<ObjectRow>> find_object(sqlite::Database& database, std::string_view bucket,
                                             std::string_view key);
// NoSuchBucket or NoSuchKey.
Result<ObjectRow> object(sqlite::Database& database, std::string_view bucket, std::string_view key);
// The bytes of an inline object.
Result<std::string> inline_bytes(sqlite::Database& database, std::int64_t data_id);
Result<std::vector<Part>> object_parts(sqlite::Database& database, std::int64_t data_id);
// Replaces what was under the key. `bytes` are stored when the row is inline.
Status put_object(sqlite::Database& database, const ObjectRow& row, std::string_view bytes);
Status add_object_part(sqlite::Database& database, std::int64_t data_id, const Part& part);
Status copy_data(sqlite::Database& database, std::int64_t from, std::int64_t to);
Status set_object_tags(sqlite::Database& database, std::string_view bucket, std::string_view key,
                       std::string_view tags);
// False: there was none.
Result<bool> delete_object(sqlite::Database& database, std::string_view bucket,
                           std::string_view key);

// Uploads. NoSuchUpload when there is none of that bucket, key and id.
Result<Upload> upload(sqlite::Database& database, std::string_view bucket, std::string_view key,
                      std::string_view id);
Status create_upload(sqlite::Database& database, const Upload& upload);
Status put_part(sqlite::Database& database, std::string_view upload_id, const Part& part);
// Parts above `after`, in order, at most `limit`.
Result<std::vector<Part>> upload_parts(sqlite::Database& database, std::string_view upload_id,
                                       int after = 0, int limit = 10'000);
Status finish_upload(sqlite::Database& database, const Upload& upload, std::string_view etag);
Status delete_upload(sqlite::Database& database, const Upload& upload);
// Forgets finished uploads that were begun before then.
Status prune_uploads(sqlite::Database& database, std::int64_t before_ms);

// The highest data_id in use.
Result<std::int64_t> last_data_id(sqlite::Database& database);
// Blobs that any object or upload refers to.
Result<std::unordered_set<std::string>> live_digests(sqlite::Database& database);

}  // namespace meta
}  // namespace hearth::objectstore
