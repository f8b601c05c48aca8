// Blob uploads in progress, by id. They live in memory: a restart forgets them (clients start
// again), and one that nobody feeds is dropped with its bytes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "emulator/blobs/blob_store.h"
#include "platform/base/clock.h"
#include "platform/base/hash.h"
#include "platform/base/result.h"

namespace hearth::registry {

struct Upload {
  std::string id;
  std::string repository;
  blobs::BlobWriter writer;
  // The writer's own digest is known only when the blob is linked; a wrong one must leave nothing.
  base::Hasher hasher{base::HashAlgorithm::kSha256};
  base::MonotonicTime last_used;
  bool busy = false;  // a request feeds it now

  Status append(std::string_view bytes) {
    hasher.update(bytes);
    return writer.append(bytes);
  }
};

class Uploads {
 public:
  explicit Uploads(const base::Clock& clock) : clock_(clock) {}

  // kRateLimited when too many are open.
  Result<std::shared_ptr<Upload>> open(const blobs::BlobStore& blobs, std::string repository);
  // nullptr when there is none with that id in that repository. Counts as use.
  std::shared_ptr<Upload> find(std::string_view repository, std::string_view id);
  void close(std::string_view id);
  std::size_t size() const { return open_.size(); }

 private:
  void drop_idle();

  const base::Clock& clock_;
  std::map<std::string, std::shared_ptr<Upload>, std::less<>> open_;
};

}  // namespace hearth::registry
