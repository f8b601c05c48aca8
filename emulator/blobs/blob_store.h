// Immutable bytes by their SHA-256, one file each: {root}/{first two hex digits}/{digest}.
//
// Written to an unnamed file, flushed, then linked under its digest: a torn upload leaves nothing,
// and what is linked is whole and durable. Meaning and lifetime belong to the rooms that refer to a
// digest (S3 objects, registry); collect_garbage() removes what none of them names.
//
// Any loop may use one BlobStore: it holds no mutable state but the file system. Writes go to the
// page cache on the caller's thread; flushes run on the blocking pool.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "platform/async/task.h"
#include "platform/base/hash.h"
#include "platform/base/result.h"
#include "platform/base/unique_fd.h"

namespace hearth::async {
class BlockingPool;
}

namespace hearth::blobs {

struct Blob {
  std::string digest;  // 64 lower-case hex digits
  std::uint64_t size = 0;
};

class BlobStore;

// One blob in the making. Destroyed without commit(): nothing remains.
class BlobWriter {
 public:
  Status append(std::string_view bytes);
  std::uint64_t size() const { return size_; }
  // Flushes and links. The writer is used up. The bytes are durable when this returns.
  Task<Result<Blob>> commit();

 private:
  friend class BlobStore;
  BlobWriter(const BlobStore& store, base::UniqueFd file);
  const BlobStore* store_;
  base::UniqueFd file_;
  base::Hasher hasher_{base::HashAlgorithm::kSha256};
  std::uint64_t size_ = 0;
};

class BlobStore {
 public:
  // Creates the folder. `pool` outlives the store.
  static Result<std::unique_ptr<BlobStore>> open(std::filesystem::path root,
                                                 async::BlockingPool& pool);

  Result<BlobWriter> create() const;
  // For small whole values.
  Task<Result<Blob>> put(std::string bytes) const;
  // kNotFound when there is no such blob. The file stays readable while the descriptor is open,
  // whatever garbage collection does.
  Result<base::UniqueFd> open_blob(std::string_view digest) const;
  Result<std::string> read(std::string_view digest, std::size_t bytes_max) const;
  bool contains(std::string_view digest) const;
  std::filesystem::path path_of(std::string_view digest) const;

  // Removes blobs that `is_live` does not name and that nobody linked or re-used within `grace`
  // (an upload is linked before its metadata names it). Returns the bytes freed.
  Result<std::uint64_t> collect_garbage(const std::function<bool(std::string_view digest)>& is_live,
                                        std::chrono::seconds grace) const;

 private:
  friend class BlobWriter;
  BlobStore(std::filesystem::path root, async::BlockingPool& pool);
  Result<Blob> link(int fd, std::string digest, std::uint64_t size) const;

  std::filesystem::path root_;
  async::BlockingPool& pool_;
  mutable std::mutex names_;  // of the folder: adding one, and removing what nobody wants
};

}  // namespace hearth::blobs
