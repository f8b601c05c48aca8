// Tells of the changes of one collection, without a copy of it: an Informer would hold an object a
// function only to know that it went.
//
// On the store's loop. Reconnects by itself with back-off, as an Informer does. Whatever may have
// been missed (before a connection that came late, in a gap of the store's history) is told as
// such; not what is there when the first watch succeeds: the owner's start looks at that.
#pragma once

#include <cstdint>
#include <functional>

#include "platform/resource/store.h"

namespace hearth::lambda {

class ChangeWatch {
 public:
  // `object` is the new state, or the last one when it was deleted.
  using Changed = std::function<void(const Json& object, bool deleted)>;
  // `store` outlives it.
  ChangeWatch(resource::Store& store, resource::Type type, Changed changed,
              std::function<void()> missed);

  // Runs until cancelled; spawn it in the owner's task group.
  Task<void> run();

 private:
  Task<Status> follow();

  resource::Store& store_;
  resource::Type type_;
  Changed changed_;
  std::function<void()> missed_;
  std::uint64_t resource_version_ = 0;
  bool is_first_ = true;   // no watch has broken or been refused yet
  bool followed_ = false;  // this watch brought something beyond its first state
};

}  // namespace hearth::lambda
