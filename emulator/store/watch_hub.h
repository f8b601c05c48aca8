// Fans committed changes out to watchers. Lives on the store's loop.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/resource/selector.h"
#include "platform/resource/store.h"

namespace hearth::async {
class Loop;
}

namespace hearth::store {

// One committed change. `previous` is null for a creation.
struct Change {
  std::uint64_t resource_version = 0;
  resource::WatchEvent::Type type = resource::WatchEvent::Type::kAdded;
  std::string group;
  std::string plural;
  resource::ObjectPtr object;
  resource::ObjectPtr previous;
};

// Which objects a watcher (or a list) wants.
struct Scope {
  std::string group;
  std::string plural;
  std::string ns;
  resource::LabelSelector labels;
  resource::FieldSelector fields;

  bool matches(const Json& object) const;
};

// What a change is to a watcher: an object that begins to match is ADDED, one that ceases to match
// is DELETED as it last matched, under the version of the change. Nothing when it is none of its
// business.
std::optional<resource::WatchEvent> event_of(const Scope& scope, const Change& change);

class WatchHub {
 public:
  explicit WatchHub(async::Loop& loop);
  ~WatchHub();

  // `replay` comes first, in order; then every change above `after`.
  std::unique_ptr<resource::Watch> subscribe(Scope scope, std::uint64_t after,
                                             std::vector<resource::WatchEvent> replay);
  void publish(const Change& change);
  void close();
  std::size_t size() const;

 private:
  struct State;
  class Subscription;
  std::shared_ptr<State> state_;
};

}  // namespace hearth::store
