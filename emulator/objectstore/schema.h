// The tables of the object store. Names begin with s3_.
#pragma once

#include <array>
#include <string_view>

namespace hearth::objectstore {

// Rows of s3_objects stay small, so that a listing reads few pages: bytes of small objects are in
// s3_inline, those of large ones in the blob store (`digest`), multipart ones are the concatenation
// of the blobs in s3_object_parts. `data_id` names the inline bytes or the parts; it is never used
// twice while a reader could hold it.
inline constexpr std::array<std::string_view, 1> kSchemaSteps = {R"sql(
CREATE TABLE s3_buckets(
  name TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, region TEXT NOT NULL,
  tags TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE s3_objects(
  bucket TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
  modified_ms INTEGER NOT NULL, digest TEXT NOT NULL, data_id INTEGER NOT NULL,
  parts INTEGER NOT NULL, headers TEXT NOT NULL, tags TEXT NOT NULL, checksum TEXT NOT NULL,
  PRIMARY KEY(bucket, key)) WITHOUT ROWID;
CREATE TABLE s3_inline(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE s3_object_parts(
  data_id INTEGER NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, digest TEXT NOT NULL,
  checksum TEXT NOT NULL, PRIMARY KEY(data_id, number)) WITHOUT ROWID;
CREATE TABLE s3_uploads(
  bucket TEXT NOT NULL, key TEXT NOT NULL, id TEXT NOT NULL, initiated_ms INTEGER NOT NULL,
  headers TEXT NOT NULL, tags TEXT NOT NULL, checksum_algorithm TEXT NOT NULL,
  checksum_type TEXT NOT NULL, completed_etag TEXT NOT NULL DEFAULT '',
  PRIMARY KEY(bucket, key, id)) WITHOUT ROWID;
CREATE TABLE s3_upload_parts(
  upload_id TEXT NOT NULL, number INTEGER NOT NULL, size INTEGER NOT NULL, digest TEXT NOT NULL,
  etag TEXT NOT NULL, checksum TEXT NOT NULL, modified_ms INTEGER NOT NULL,
  PRIMARY KEY(upload_id, number)) WITHOUT ROWID;
)sql"};

}  // namespace hearth::objectstore
