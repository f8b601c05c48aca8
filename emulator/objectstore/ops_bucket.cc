#include "emulator/objectstore/errors.h"
#include "emulator/objectstore/meta_store.h"
#include "emulator/objectstore/ops.h"
#include "emulator/objectstore/upload_body.h"
#include "platform/s3/error_code.h"
#include "platform/s3/names.h"
#include "platform/s3/xml.h"

namespace hearth::objectstore {

Task<Status> list_buckets(Services& services, Call& call) {
  HEARTH_CO_TRY(buckets, meta::buckets(services.reader));
  const std::string_view prefix = call.parameter("prefix");
  s3::XmlWriter xml("ListAllMyBucketsResult");
  xml.open("Owner").element("ID", kOwnerId).element("DisplayName", kOwnerName).close();
  xml.open("Buckets");
  for (const Bucket& bucket : buckets) {
    if (!bucket.name.starts_with(prefix)) continue;
    xml.open("Bucket").element("Name", bucket.name);
    xml.element("CreationDate", iso_time(bucket.created_ms)).close();
  }
  co_return co_await call.respond_xml(xml.finish());
}

Task<Status> create_bucket(Services& services, Call& call) {
  HEARTH_CO_CHECK_OK(s3::check_bucket_name(call.bucket()));
  HEARTH_CO_TRY(body, co_await receive_document(services, call));
  HEARTH_CO_TRY(constraint, s3::parse_location_constraint(body));
  // "EU" is Amazon's old name of eu-west-1. Any region is kept as the bucket's label.
  const std::string region = constraint.empty() ? services.region : constraint;
  const Bucket bucket{
      .name = call.bucket(), .created_ms = services.now_ms(), .region = region, .tags = {}};
  HEARTH_CO_TRY(created, co_await services.writer.write<bool>(
                             [bucket](sqlite::Database& database) -> Result<bool> {
                               HEARTH_CHECK_OK(meta::create_bucket(database, bucket));
                               return true;
                             }));
  http::ResponseHead head = call.head(200);
  head.headers.add("Location", "/" + call.bucket());
  co_return co_await call.exchange().respond(head, "");
}

Task<Status> head_bucket(Services& services, Call& call) {
  HEARTH_CO_TRY(bucket, meta::bucket(services.reader, call.bucket()));
  http::ResponseHead head = call.head(200);
  head.headers.add("x-amz-bucket-region", bucket.region);
  head.headers.add("Content-Type", "application/xml");
  co_return co_await call.exchange().respond(head, "");
}

Task<Status> delete_bucket(Services& services, Call& call) {
  HEARTH_CO_TRY(deleted, co_await services.writer.write<bool>(
                             [name = call.bucket()](sqlite::Database& database) -> Result<bool> {
                               HEARTH_CHECK_OK(meta::delete_bucket(database, name));
                               return true;
                             }));
  co_return co_await call.respond(204);
}

Task<Status> get_bucket_location(Services& services, Call& call) {
  HEARTH_CO_TRY(bucket, meta::bucket(services.reader, call.bucket()));
  s3::XmlWriter xml("LocationConstraint");
  // us-east-1 has no constraint: clients read the empty element so.
  if (bucket.region != "us-east-1") xml.raw(s3::xml_escape(bucket.region));
  co_return co_await call.respond_xml(xml.finish());
}

Task<Status> get_bucket_versioning(Services& services, Call& call) {
  HEARTH_CO_TRY(bucket, meta::bucket(services.reader, call.bucket()));
  co_return co_await call.respond_xml(s3::XmlWriter("VersioningConfiguration").finish());
}

Task<Status> get_acl(Services& services, Call& call) {
  if (call.key().empty()) {
    HEARTH_CO_CHECK_OK(meta::bucket(services.reader, call.bucket()));
  } else {
    HEARTH_CO_CHECK_OK(meta::object(services.reader, call.bucket(), call.key()));
  }
  s3::XmlWriter xml("AccessControlPolicy");
  xml.open("Owner").element("ID", kOwnerId).element("DisplayName", kOwnerName).close();
  xml.open("AccessControlList").open("Grant");
  xml.raw(
      "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
      "xsi:type=\"CanonicalUser\">");
  xml.element("ID", kOwnerId).element("DisplayName", kOwnerName).raw("</Grantee>");
  xml.element("Permission", "FULL_CONTROL");
  co_return co_await call.respond_xml(xml.finish());
}

}  // namespace hearth::objectstore
