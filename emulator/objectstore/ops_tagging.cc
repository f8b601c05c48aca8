#include "emulator/objectstore/meta_store.h"
#include "emulator/objectstore/ops.h"
#include "emulator/objectstore/tags.h"
#include "emulator/objectstore/upload_body.h"
#include "platform/s3/error_code.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {
namespace {

// With an empty key the tags are the bucket's.
Task<Status> store_tags(Services& services, Call& call, std::string tags, int status) {
  HEARTH_CO_TRY(stored, co_await services.writer.write<bool>(
                            [bucket = call.bucket(), key = call.key(),
                             tags = std::move(tags)](sqlite::Database& database) -> Result<bool> {
                              HEARTH_CHECK_OK(
                                  key.empty() ? meta::set_bucket_tags(database, bucket, tags)
                                              : meta::set_object_tags(database, bucket, key, tags));
                              return true;
                            }));
  co_return co_await call.respond(status);
}

Task<Status> put_tags(Services& services, Call& call, std::size_t count_max, int status) {
  HEARTH_CO_TRY(body, co_await receive_document(services, call));
  HEARTH_CO_TRY(parsed, s3::parse_tagging(body));
  HEARTH_CO_TRY(tags, encode_tags(parsed, count_max));
  co_return co_await store_tags(services, call, std::move(tags), status);
}

}  // namespace

Task<Status> get_object_tagging(Services& services, Call& call) {
  HEARTH_CO_TRY(row, meta::object(services.reader, call.bucket(), call.key()));
  co_return co_await call.respond_xml(tagging_document(row.tags));
}

Task<Status> put_object_tagging(Services& services, Call& call) {
  co_return co_await put_tags(services, call, kObjectTagsMax, 200);
}

Task<Status> delete_object_tagging(Services& services, Call& call) {
  co_return co_await store_tags(services, call, "", 204);
}

Task<Status> get_bucket_tagging(Services& services, Call& call) {
  HEARTH_CO_TRY(bucket, meta::bucket(services.reader, call.bucket()));
  if (bucket.tags.empty()) {
    co_return s3::s3_fail("NoSuchTagSet", "The TagSet does not exist",
                          {{"BucketName", bucket.name}});
  }
  co_return co_await call.respond_xml(tagging_document(bucket.tags));
}

Task<Status> put_bucket_tagging(Services& services, Call& call) {
  co_return co_await put_tags(services, call, kBucketTagsMax, 204);
}

Task<Status> delete_bucket_tagging(Services& services, Call& call) {
  co_return co_await store_tags(services, call, "", 204);
}

}  // namespace hearth::objectstore
