// Points in the code at which a build for tests fails on demand: the process kills itself, or the
// operation ends with an I/O error. Without the CMake option HEARTH_FAILPOINTS they are nothing.
//
// $HEARTH_FAILPOINTS, read once, says what happens: "blob.flush=error@3;journal.append=kill".
// Actions are kill (SIGKILL), torn (a part of the write, then SIGKILL) and error (EIO). "@n" means
// the n-th hit, "@n-m" the hits from n to m, neither means every hit. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <concepts>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>

#include "platform/base/result.h"

namespace hearth::base {

#ifdef HEARTH_FAILPOINTS
inline constexpr bool kHasFailpoints = true;
#else
inline constexpr bool kHasFailpoints = false;
#endif

// All there are; docs/faults.md says what each cuts through.
inline constexpr auto kFailpoints = std::to_array<std::string_view>({
    "file.write",
    "file.flush",
    "file.rename",
    "file.directory_flush",
    "sqlite.begin",
    "sqlite.commit",
    "sqlite.committed",
    "sqlite.wal_write",
    "sqlite.wal_flush",
    "sqlite.database_write",
    "sqlite.database_flush",
    "journal.append",
    "journal.record",
    "journal.replay",
    "store.write",
    "s3.put",
    "registry.put",
    "blob.write",
    "blob.flush",
    "blob.link",
    "blob.directory_flush",
});

// One of them by its name; a name that is not listed does not compile.
class Failpoint {
 public:
  consteval Failpoint(const char* name) : index_(index_of(name)) {}
  std::size_t index() const { return index_; }
  std::string_view name() const { return kFailpoints[index_]; }

 private:
  static consteval std::size_t index_of(std::string_view name) {
    std::size_t index = 0;
    while (kFailpoints.at(index) != name) ++index;
    return index;
  }
  std::size_t index_;
};

// What was asked for, and how often each point was hit.
class FailpointPlan {
 public:
  enum class Action { kNone, kKill, kTorn, kError };

  // kInvalid for unknown names, actions and counts.
  Status parse(std::string_view text);
  Action hit(Failpoint point);
  std::uint64_t hits(std::size_t index) const { return steps_[index].hits; }

 private:
  struct Step {
    Action action = Action::kNone;
    std::uint64_t first = 1;
    std::uint64_t last = 0;
    std::atomic<std::uint64_t> hits{0};
  };
  Status parse_step(std::string_view text);
  std::array<Step, kFailpoints.size()> steps_;
};

// Does what the process's plan says of `point`; `tear` does a part of the write that follows.
Status hit_failpoint(Failpoint point, const std::function<void()>& tear);

// What stands in the code. `tear` is for writes that can be cut in two.
template <std::invocable Tear>
inline Status failpoint(Failpoint point, Tear tear) {
  if constexpr (kHasFailpoints) return hit_failpoint(point, std::move(tear));
  return {};
}
inline Status failpoint(Failpoint point) {
  return failpoint(point, [] {});
}

}  // namespace hearth::base
