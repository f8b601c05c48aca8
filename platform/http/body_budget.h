// The bytes of request bodies that a server holds in memory at once. A body for which there is no
// room stays in its socket, unread, until others are done with: first come, first served.
//
// On the server's loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "platform/async/signal.h"
#include "platform/async/task.h"
#include "platform/base/result.h"

namespace hearth::http {

class BodyBudget {
 public:
  // Room for one body, given back at the end of its life.
  class Room {
   public:
    Room() = default;
    Room(Room&& other) noexcept;
    Room& operator=(Room&& other) noexcept;
    ~Room();

   private:
    friend class BodyBudget;
    Room(BodyBudget& budget, std::size_t bytes) : budget_(&budget), bytes_(bytes) {}
    BodyBudget* budget_ = nullptr;
    std::size_t bytes_ = 0;
  };

  BodyBudget(async::Loop& loop, std::size_t bytes_max, std::chrono::milliseconds patience);

  // kUnavailable when there is no room in time. A body larger than the whole budget gets all of it.
  Task<Result<Room>> take(std::size_t bytes);

 private:
  void give_back(std::size_t bytes);
  bool fits(std::size_t bytes) const { return held_ + bytes <= bytes_max_; }
  void leave(std::uint64_t ticket);

  const std::size_t bytes_max_;
  const std::chrono::milliseconds patience_;
  std::size_t held_ = 0;
  std::uint64_t last_ticket_ = 0;
  std::deque<std::uint64_t> waiting_;
  async::Signal changed_;
};

}  // namespace hearth::http
