// What `hearth s3 cp`, `mv`, `rm` and `sync` do: one or many copies between files and a store.
#pragma once

#include <string>

#include "cli/s3_client.h"
#include "cli/s3_transfer.h"

namespace hearth::cli {

struct S3CopyOptions {
  std::string content_type;
  bool remove_source = false;  // mv
  bool remove_extra = false;   // sync --delete
  bool size_only = false;
  bool dry_run = false;
  bool quiet = false;
};

// At least one side is s3://…; the other may be a path or "-". Each copy is said on standard error.
Status copy_one(S3Client& client, const std::string& from, const std::string& to,
                const S3CopyOptions& options);
// Folders and prefixes with all that is below them. Goes on after a copy that fails; the first
// failure is the result.
Status copy_all(S3Client& client, const std::string& from, const std::string& to,
                const S3CopyOptions& options);
Status sync_all(S3Client& client, const std::string& from, const std::string& to,
                const S3CopyOptions& options);
Status remove_all(S3Client& client, const S3Location& prefix, const S3CopyOptions& options);

}  // namespace hearth::cli
