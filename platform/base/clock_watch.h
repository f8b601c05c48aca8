// Tells when someone moved the wall clock: it and the monotonic clock no longer agree about how
// much time went by. A machine that slept looks like one whose clock was set forward.
#pragma once

#include <utility>

#include "platform/base/clock.h"

namespace hearth::base {

class ClockWatch {
 public:
  explicit ClockWatch(const Clock& clock)
      : clock_(clock), wall_(clock.wall()), monotonic_(clock.monotonic()) {}

  // How far it was moved since the last call; less than zero: back.
  std::chrono::nanoseconds moved() {
    const WallTime wall = clock_.wall();
    const MonotonicTime monotonic = clock_.monotonic();
    const auto by_wall = wall - std::exchange(wall_, wall);
    return by_wall - (monotonic - std::exchange(monotonic_, monotonic));
  }

 private:
  const Clock& clock_;
  WallTime wall_;
  MonotonicTime monotonic_;
};

}  // namespace hearth::base
