// resource::Store in memory, for unit tests of this room: names, versions, status, watches. No
// schemas, selectors, patches or finalizers.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "platform/async/loop.h"
#include "platform/async/signal.h"
#include "platform/resource/store.h"

namespace hearth::eventing::testing {

class MemoryStore final : public resource::Store {
 public:
  explicit MemoryStore(async::Loop& loop) : loop_(loop) {}

  Task<Result<resource::ObjectPtr>> create(resource::Type type, Json object,
                                           resource::WriteOptions options) override;
  Task<Result<resource::ObjectPtr>> get(resource::Type type, resource::ObjectKey key) override;
  Task<Result<resource::List>> list(resource::Type type, resource::ListOptions options) override;
  Task<Result<resource::ObjectPtr>> update(resource::Type type, Json object,
                                           resource::WriteOptions options) override;
  Task<Result<resource::ObjectPtr>> patch(resource::Type type, resource::ObjectKey key,
                                          resource::PatchType patch_type, Json patch,
                                          resource::WriteOptions options) override;
  Task<Result<resource::Deleted>> remove(resource::Type type, resource::ObjectKey key,
                                         resource::DeleteOptions options) override;
  Task<Result<std::unique_ptr<resource::Watch>>> watch(resource::Type type,
                                                       resource::WatchOptions options) override;

  struct Feed;

 private:
  void announce(const resource::Type& type, resource::WatchEvent::Type what,
                const resource::ObjectPtr& object);

  async::Loop& loop_;
  std::map<std::string, std::map<resource::ObjectKey, resource::ObjectPtr>> objects_;
  std::vector<std::weak_ptr<Feed>> feeds_;
  std::uint64_t version_ = 0;
};

}  // namespace hearth::eventing::testing
