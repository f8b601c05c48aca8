// The operations of the S3 API. Each answers its call; ObjectStore writes an error that was not
// answered yet. One source per family: ops_bucket, ops_list, ops_object, ops_copy, ops_multipart,
// ops_uploads, ops_tagging.
#pragma once

#include <string_view>

#include "emulator/objectstore/call.h"
#include "emulator/objectstore/services.h"

namespace hearth::objectstore {

// Buckets
Task<Status> list_buckets(Services& services, Call& call);
Task<Status> create_bucket(Services& services, Call& call);
Task<Status> head_bucket(Services& services, Call& call);
Task<Status> delete_bucket(Services& services, Call& call);
Task<Status> get_bucket_location(Services& services, Call& call);
Task<Status> get_bucket_versioning(Services& services, Call& call);
// The same fixed answer for buckets and objects: the owner may do everything.
Task<Status> get_acl(Services& services, Call& call);

// Listing
Task<Status> list_objects(Services& services, Call& call);
Task<Status> list_objects_v2(Services& services, Call& call);
Task<Status> list_object_versions(Services& services, Call& call);

// Objects
Task<Status> put_object(Services& services, Call& call);
Task<Status> get_object(Services& services, Call& call);  // and HEAD
Task<Status> delete_object(Services& services, Call& call);
Task<Status> delete_objects(Services& services, Call& call);
Task<Status> copy_object(Services& services, Call& call);

// Multipart
Task<Status> create_upload(Services& services, Call& call);
Task<Status> upload_part(Services& services, Call& call);
Task<Status> upload_part_copy(Services& services, Call& call);
Task<Status> complete_upload(Services& services, Call& call);
Task<Status> abort_upload(Services& services, Call& call);
Task<Status> list_parts(Services& services, Call& call);
Task<Status> list_uploads(Services& services, Call& call);

// Tagging
Task<Status> get_object_tagging(Services& services, Call& call);
Task<Status> put_object_tagging(Services& services, Call& call);
Task<Status> delete_object_tagging(Services& services, Call& call);
Task<Status> get_bucket_tagging(Services& services, Call& call);
Task<Status> put_bucket_tagging(Services& services, Call& call);
Task<Status> delete_bucket_tagging(Services& services, Call& call);

// The one owner of all buckets.
inline constexpr std::string_view kOwnerId =
    "6865617274680000000000000000000000000000000000000000000000000000";
inline constexpr std::string_view kOwnerName = "hearth";

}  // namespace hearth::objectstore
