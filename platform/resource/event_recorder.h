// Kubernetes Events: what `kubectl describe` and `kubectl get events` show of an object's life.
//
// record() only notes; a task of the recorder's own writes, one Event at a time, so that no
// reconcile waits and the store's writers stay ahead. As client-go does, equal events become one
// whose count and lastTimestamp move; many alike but for the message are combined; an object that
// says too much is silenced for a while. Events older than an hour are removed, whoever made them.
//
// Lives on the store's loop. What can't be written (a namespace that ends) is dropped.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/resource/store.h"

namespace hearth::async {
class Loop;
}

namespace hearth::resource {

// Of a message; what is longer loses its end. Kubernetes' limit.
inline constexpr std::size_t kEventMessageBytesMax = 1024;

enum class EventType { kNormal, kWarning };

struct EventNote {
  EventType type = EventType::kNormal;
  std::string reason;     // CamelCase, for machines
  std::string message;    // for people; at most kEventMessageBytesMax
  std::string component;  // who reports
};

// How rooms tell of their objects; the assembly connects it to a recorder.
using RecordEvent = std::function<void(const Json& object, EventNote note)>;

struct EventRecorderOptions {
  std::chrono::seconds lifetime{3600};
  std::chrono::seconds expiry_interval{300};
};

class EventRecorder {
 public:
  EventRecorder(async::Loop& loop, Store& store, const base::Clock& clock,
                EventRecorderOptions options = {});
  ~EventRecorder();

  void start();
  // `object` needs kind, apiVersion and metadata; nothing of it is kept but the reference.
  void record(const Json& object, EventNote note);
  // Returns when all that was recorded before is written or dropped.
  Task<void> flushed();
  // Removes what is older than the lifetime, now.
  Task<void> expire();
  Task<void> stop();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::resource
