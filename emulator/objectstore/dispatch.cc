#include "emulator/objectstore/dispatch.h"

#include <array>

#include "emulator/objectstore/ops.h"
#include "platform/base/text.h"
#include "platform/s3/error_code.h"

namespace hearth::objectstore {
namespace {

// A sub-resource ("?tagging") and what each method does with it; nullptr: not implemented.
struct SubResource {
  std::string_view name;
  std::string_view operation;  // "GetBucket…" is made of method and this
  Operation get = nullptr;
  Operation put = nullptr;
  Operation remove = nullptr;
  Operation post = nullptr;
  // Not empty: the error of a GET where nothing is set.
  std::string_view unset_code = {};
};

constexpr auto kBucketSubResources = std::to_array<SubResource>({
    {"location", "Location", get_bucket_location},
    {"versioning", "Versioning", get_bucket_versioning},
    {"versions", "ObjectVersions", list_object_versions},
    {"uploads", "MultipartUploads", list_uploads},
    {"tagging", "Tagging", get_bucket_tagging, put_bucket_tagging, delete_bucket_tagging},
    {"acl", "Acl", get_acl},
    {"delete", "Objects", nullptr, nullptr, nullptr, delete_objects},
    {"policy", "Policy", nullptr, nullptr, nullptr, nullptr, "NoSuchBucketPolicy"},
    {"policyStatus", "PolicyStatus", nullptr, nullptr, nullptr, nullptr, "NoSuchBucketPolicy"},
    {"cors", "Cors", nullptr, nullptr, nullptr, nullptr, "NoSuchCORSConfiguration"},
    {"lifecycle", "LifecycleConfiguration", nullptr, nullptr, nullptr, nullptr,
     "NoSuchLifecycleConfiguration"},
    {"encryption", "Encryption", nullptr, nullptr, nullptr, nullptr,
     "ServerSideEncryptionConfigurationNotFoundError"},
    {"website", "Website", nullptr, nullptr, nullptr, nullptr, "NoSuchWebsiteConfiguration"},
    {"replication", "Replication", nullptr, nullptr, nullptr, nullptr,
     "ReplicationConfigurationNotFoundError"},
    {"publicAccessBlock", "PublicAccessBlock", nullptr, nullptr, nullptr, nullptr,
     "NoSuchPublicAccessBlockConfiguration"},
    {"ownershipControls", "OwnershipControls", nullptr, nullptr, nullptr, nullptr,
     "OwnershipControlsNotFoundError"},
    {"object-lock", "ObjectLockConfiguration", nullptr, nullptr, nullptr, nullptr,
     "ObjectLockConfigurationNotFoundError"},
    {"notification", "NotificationConfiguration"},
    {"logging", "Logging"},
    {"requestPayment", "RequestPayment"},
    {"accelerate", "AccelerateConfiguration"},
    {"inventory", "InventoryConfiguration"},
    {"analytics", "AnalyticsConfiguration"},
    {"metrics", "MetricsConfiguration"},
    {"intelligent-tiering", "IntelligentTieringConfiguration"},
    {"session", "Session"},
});

constexpr auto kObjectSubResources = std::to_array<SubResource>({
    {"tagging", "Tagging", get_object_tagging, put_object_tagging, delete_object_tagging},
    {"acl", "Acl", get_acl},
    {"uploads", "MultipartUpload", nullptr, nullptr, nullptr, create_upload},
    {"uploadId", "MultipartUpload", list_parts, nullptr, abort_upload, complete_upload},
    {"attributes", "Attributes"},
    {"retention", "Retention"},
    {"legal-hold", "LegalHold"},
    {"torrent", "Torrent"},
    {"select", "Content"},
    {"restore", "Restore"},
    {"renameObject", "Rename"},
});

std::unexpected<Error> not_implemented(std::string operation) {
  return s3::s3_fail("NotImplemented", operation + " is not implemented",
                     {{"Operation", operation}});
}

std::string_view verb(std::string_view method) {
  if (method == "GET" || method == "HEAD") return "Get";
  if (method == "PUT") return "Put";
  if (method == "DELETE") return "Delete";
  return "Post";
}

Operation for_method(const SubResource& entry, std::string_view method) {
  if (method == "GET" || method == "HEAD") return entry.get;
  if (method == "PUT") return entry.put;
  if (method == "DELETE") return entry.remove;
  return method == "POST" ? entry.post : nullptr;
}

Result<Operation> choose(const SubResource& entry, const Call& call, std::string_view owner) {
  if (const Operation operation = for_method(entry, call.method())) return operation;
  if (!entry.unset_code.empty() && call.method() == "GET") {
    return s3::s3_fail(entry.unset_code, "The bucket has no such configuration",
                       {{"BucketName", call.bucket()}});
  }
  return not_implemented(std::string(verb(call.method())) + std::string(owner) +
                         std::string(entry.operation));
}

std::unexpected<Error> method_not_allowed(const Call& call) {
  return s3::s3_fail("MethodNotAllowed",
                     "The specified method is not allowed against this resource.",
                     {{"Method", call.method()}});
}

Result<Operation> choose_bucket_operation(const Call& call) {
  for (const SubResource& entry : kBucketSubResources) {
    if (call.has(entry.name)) return choose(entry, call, "Bucket");
  }
  const std::string_view method = call.method();
  if (method == "GET") return call.parameter("list-type") == "2" ? list_objects_v2 : list_objects;
  if (method == "PUT") return create_bucket;
  if (method == "HEAD") return head_bucket;
  if (method == "DELETE") return delete_bucket;
  if (method == "POST") return not_implemented("PostObject");
  return method_not_allowed(call);
}

Result<Operation> choose_object_operation(const Call& call) {
  const std::string_view method = call.method();
  const bool copies = call.headers().contains("x-amz-copy-source");
  if (method == "PUT" && call.has("uploadId")) return copies ? upload_part_copy : upload_part;
  for (const SubResource& entry : kObjectSubResources) {
    if (call.has(entry.name)) return choose(entry, call, "Object");
  }
  if (call.headers().contains("x-amz-server-side-encryption-customer-algorithm")) {
    // Storing plain bytes where the client asked for encryption would be a lie.
    return not_implemented("SSE-C");
  }
  if (method == "GET" || method == "HEAD") return get_object;
  if (method == "PUT") return copies ? copy_object : put_object;
  if (method == "DELETE") return delete_object;
  return method_not_allowed(call);
}

}  // namespace

Result<Operation> choose_operation(const Call& call) {
  if (!call.key().empty()) return choose_object_operation(call);
  if (!call.bucket().empty()) return choose_bucket_operation(call);
  if (call.method() == "GET") return list_buckets;
  return method_not_allowed(call);
}

}  // namespace hearth::objectstore
