#include "emulator/eventing/testing/memory_store.h"

#include "platform/base/random_id.h"

namespace hearth::eventing::testing {

using resource::ObjectKey;
using resource::ObjectPtr;
using resource::Type;
using resource::WatchEvent;

struct MemoryStore::Feed {
  explicit Feed(async::Loop& loop) : wake(loop) {}
  std::string collection;
  std::deque<WatchEvent> events;
  async::Signal wake;
};

namespace {

std::string collection_of(const Type& type) { return type.group + "/" + type.plural; }

class FeedWatch final : public resource::Watch {
 public:
  explicit FeedWatch(std::shared_ptr<MemoryStore::Feed> feed) : feed_(std::move(feed)) {}
  Task<Result<WatchEvent>> next() override {
    while (feed_->events.empty()) {
      if (!co_await feed_->wake.wait()) co_return fail(Code::kCancelled, "cancelled");
    }
    WatchEvent event = std::move(feed_->events.front());
    feed_->events.pop_front();
    told_ = event.resource_version;
    co_return event;
  }
  std::uint64_t version() const override { return told_; }

 private:
  std::shared_ptr<MemoryStore::Feed> feed_;
  std::uint64_t told_ = 0;
};

}  // namespace

void MemoryStore::announce(const Type& type, WatchEvent::Type what, const ObjectPtr& object) {
  for (const auto& weak : feeds_) {
    const auto feed = weak.lock();
    if (!feed || feed->collection != collection_of(type)) continue;
    feed->events.push_back({what, object, version_});
    feed->wake.notify();
  }
}

Task<Result<ObjectPtr>> MemoryStore::create(Type type, Json object, resource::WriteOptions) {
  ObjectPtr& slot = objects_[collection_of(type)][resource::key_of(object)];
  if (slot) co_return fail(Code::kAlreadyExists, "exists");
  object["metadata"]["uid"] = base::random_uuid();
  object["metadata"]["generation"] = 1;
  object["metadata"]["resourceVersion"] = std::to_string(++version_);
  slot = std::make_shared<const Json>(std::move(object));
  announce(type, WatchEvent::Type::kAdded, slot);
  co_return slot;
}

Task<Result<ObjectPtr>> MemoryStore::get(Type type, ObjectKey key) {
  const auto& collection = objects_[collection_of(type)];
  const auto known = collection.find(key);
  if (known == collection.end()) co_return fail(Code::kNotFound, "no such object");
  co_return known->second;
}

Task<Result<resource::List>> MemoryStore::list(Type type, resource::ListOptions) {
  resource::List list;
  list.resource_version = version_;
  for (const auto& [key, object] : objects_[collection_of(type)]) list.items.push_back(object);
  co_return list;
}

Task<Result<ObjectPtr>> MemoryStore::update(Type type, Json object,
                                            resource::WriteOptions options) {
  auto& collection = objects_[collection_of(type)];
  const auto known = collection.find(resource::key_of(object));
  if (known == collection.end()) co_return fail(Code::kNotFound, "no such object");
  Json next = *known->second;
  if (options.subresource == resource::Subresource::kStatus) {
    next["status"] = object["status"];
  } else {
    for (const auto& [name, value] : object.items()) {
      if (name != "status" && name != "metadata") next[name] = value;
    }
    next["metadata"]["generation"] = resource::generation_of(next) + 1;
  }
  next["metadata"]["resourceVersion"] = std::to_string(++version_);
  known->second = std::make_shared<const Json>(std::move(next));
  announce(type, WatchEvent::Type::kModified, known->second);
  co_return known->second;
}

Task<Result<ObjectPtr>> MemoryStore::patch(Type, ObjectKey, resource::PatchType, Json,
                                           resource::WriteOptions) {
  co_return fail(Code::kUnsupported, "no patches in this store");
}

Task<Result<resource::Deleted>> MemoryStore::remove(Type type, ObjectKey key,
                                                    resource::DeleteOptions) {
  auto& collection = objects_[collection_of(type)];
  const auto known = collection.find(key);
  if (known == collection.end()) co_return fail(Code::kNotFound, "no such object");
  ObjectPtr object = known->second;
  collection.erase(known);
  ++version_;
  announce(type, WatchEvent::Type::kDeleted, object);
  co_return resource::Deleted{object, true};
}

Task<Result<std::unique_ptr<resource::Watch>>> MemoryStore::watch(Type type,
                                                                  resource::WatchOptions) {
  auto feed = std::make_shared<Feed>(loop_);
  feed->collection = collection_of(type);
  for (const auto& [key, object] : objects_[feed->collection]) {
    feed->events.push_back({WatchEvent::Type::kAdded, object, version_});
  }
  feed->events.push_back({WatchEvent::Type::kBookmark, nullptr, version_});
  feeds_.push_back(feed);
  co_return std::make_unique<FeedWatch>(std::move(feed));
}

}  // namespace hearth::eventing::testing
