// A value that one thread replaces as a whole and others read: who reads keeps the version that it
// found for as long as it likes. Any thread.
//
// In place of std::atomic<std::shared_ptr>, whose load() in libstdc++ 12 gives its lock back with
// relaxed order (bits/shared_ptr_atomic.h): where stores may overtake loads, a reader could get
// half of what a writer stores. An uncontended mutex costs the same.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

namespace hearth::base {

template <typename T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> value) : value_(std::move(value)) {}

  std::shared_ptr<const T> load() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  // What was there before ends outside of the lock.
  void store(std::shared_ptr<const T> value) {
    const std::lock_guard lock(mutex_);
    value_.swap(value);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
};

}  // namespace hearth::base
