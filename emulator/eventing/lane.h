// What waits for one trigger: numbers, in order, worked on with bounded parallelism; what fails
// waits for its moment without holding up the rest. With a parallelism of 1 the order is strict,
// retries included (RabbitMQ's meaning of that annotation).
//
// Holds eight bytes for a waiting delivery, so that a million of them fit. Waits are measured with
// the monotonic clock: someone who sets the clock back does not hold up a retry.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <vector>

#include "platform/async/signal.h"
#include "platform/async/task.h"
#include "platform/async/task_group.h"
#include "platform/base/clock.h"

namespace hearth::eventing {

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  using Key = std::int64_t;
  struct Again {
    int attempts = 0;
    base::MonotonicTime at{};
  };
  // One attempt; nullopt when the key is done with.
  using Work = std::function<Task<std::optional<Again>>(Key key, int attempts)>;

  Lane(async::Loop& loop, const base::Clock& clock, std::size_t parallelism, Work work);

  void push(Key key);
  void push_later(Key key, Again again);
  void set_parallelism(std::size_t parallelism);
  std::size_t waiting() const { return ready_.size() + later_.size(); }

  // No attempt begins after this, those that run are cut off.
  void close();
  Task<void> drain() { return tasks_.drain(); }

 private:
  struct Later {
    base::MonotonicTime at;
    Key key;
    int attempts;
    bool operator>(const Later& other) const {
      return at != other.at ? at > other.at : key > other.key;
    }
  };
  struct Item {
    Key key;
    int attempts;
  };

  bool retry_is_due() const;
  bool may_take_ready() const;
  std::optional<Item> take();
  void fill();
  static Task<void> worker(std::shared_ptr<Lane> self);
  static Task<std::optional<Again>> attempt(std::shared_ptr<Lane> self, Item item);
  static Task<void> alarm(std::shared_ptr<Lane> self);

  const base::Clock& clock_;
  std::size_t parallelism_;
  Work work_;
  std::deque<Key> ready_;
  std::priority_queue<Later, std::vector<Later>, std::greater<>> later_;
  async::Signal later_changed_;
  async::TaskGroup tasks_;
  std::size_t workers_ = 0;
  bool alarm_runs_ = false;
  bool closed_ = false;
};

}  // namespace hearth::eventing
