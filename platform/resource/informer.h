// A local copy of one collection, kept current by list and watch; handlers get keys, never objects.
// Reconnects by itself with back-off; after a gap it lists again and reports what vanished.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "platform/async/signal.h"
#include "platform/async/task.h"
#include "platform/resource/store.h"

namespace hearth::async {
class Loop;
}

namespace hearth::resource {

class Informer {
 public:
  Informer(async::Loop& loop, Store& store, Type type);
  Informer(const Informer&) = delete;
  Informer& operator=(const Informer&) = delete;

  // Register before run(). Called on the loop after the copy changed; `object` is the new state, or
  // the last known one when it was deleted.
  using Handler = std::function<void(const ObjectPtr& object, bool deleted)>;
  void on_change(Handler handler);
  // Runs until cancelled; spawn it in the owner's task group.
  Task<void> run();
  Task<void> wait_synced();

  ObjectPtr get(const ObjectKey& key) const;  // null when absent
  const std::map<ObjectKey, ObjectPtr>& all() const { return objects_; }
  std::vector<ObjectPtr> in_namespace(const std::string& ns) const;
  const Type& type() const { return type_; }

 private:
  Task<Status> follow();
  void apply(const WatchEvent& event);

  Store& store_;
  Type type_;
  std::map<ObjectKey, ObjectPtr> objects_;
  std::vector<Handler> handlers_;
  async::Signal synced_signal_;
  bool synced_ = false;
  bool followed_ = false;  // this watch brought something beyond its first state
  std::uint64_t resource_version_ = 0;
};

}  // namespace hearth::resource
