#include "emulator/registry/uploads.h"

#include <chrono>

#include "platform/base/random_id.h"

namespace hearth::registry {
namespace {

constexpr std::chrono::minutes kIdleMax{30};
// Each holds a file descriptor.
constexpr std::size_t kOpenMax = 256;

}  // namespace

Result<std::shared_ptr<Upload>> Uploads::open(const blobs::BlobStore& blobs,
                                              std::string repository) {
  drop_idle();
  if (open_.size() >= kOpenMax) return fail(Code::kRateLimited, "too many uploads are open");
  HEARTH_TRY(writer, blobs.create());
  auto upload = std::make_shared<Upload>(Upload{.id = base::random_uuid(),
                                                .repository = std::move(repository),
                                                .writer = std::move(writer),
                                                .last_used = clock_.monotonic()});
  open_.emplace(upload->id, upload);
  return upload;
}

std::shared_ptr<Upload> Uploads::find(std::string_view repository, std::string_view id) {
  drop_idle();
  const auto found = open_.find(id);
  if (found == open_.end() || found->second->repository != repository) return nullptr;
  found->second->last_used = clock_.monotonic();
  return found->second;
}

void Uploads::close(std::string_view id) {
  if (const auto found = open_.find(id); found != open_.end()) open_.erase(found);
}

void Uploads::drop_idle() {
  const base::MonotonicTime oldest = clock_.monotonic() - kIdleMax;
  std::erase_if(open_, [&](const auto& item) {
    return !item.second->busy && item.second->last_used < oldest;
  });
}

}  // namespace hearth::registry
