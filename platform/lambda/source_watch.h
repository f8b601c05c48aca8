// Which functions are built from which objects, and what of them changed since a function's source
// was last looked at. Told by a store that knows of its writes.
//
// On the controller's loop. Memory only: after a start every source counts as not looked at.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "platform/base/clock.h"
#include "platform/base/json.h"
#include "platform/resource/object.h"

namespace hearth::lambda {

class SourceWatch {
 public:
  // `clock` outlives it.
  explicit SourceWatch(const base::Clock& clock);

  // The function as it is now. Those that aren't built from objects are forgotten.
  void put(const Json& function);
  void forget(const resource::ObjectKey& function);

  // An object was written or removed. The functions whose source it is, or belongs to.
  std::vector<resource::ObjectKey> changed(const std::string& bucket, const std::string& key);

  // How many changes were told of; 0 also for functions that are not known.
  std::uint64_t changes(const resource::ObjectKey& function) const;
  // The source was looked at, as it was after that many changes: ask changes() before looking.
  void looked_at(const resource::ObjectKey& function, std::uint64_t changes);
  // A change was told of since the source was last looked at.
  bool has_changed(const resource::ObjectKey& function) const;
  // That, or nobody looked yet.
  bool is_due(const resource::ObjectKey& function) const;
  // How long to wait before looking: a prefix that is being written is an upload half done. A
  // single object is written whole: 0.
  std::chrono::nanoseconds unsettled(const resource::ObjectKey& function) const;

 private:
  struct Watched {
    std::string bucket;
    std::string key;
    std::uint64_t changes = 0;
    std::optional<std::uint64_t> looked_at;
    base::MonotonicTime first_change;  // since it was looked at
    base::MonotonicTime last_change;
  };
  const Watched* find(const resource::ObjectKey& function) const;

  const base::Clock& clock_;
  std::map<resource::ObjectKey, Watched> watched_;
  // Every object that is stored asks here: a bucket that no function uses costs one look-up.
  std::map<std::string, std::set<resource::ObjectKey>> by_bucket_;
};

}  // namespace hearth::lambda
