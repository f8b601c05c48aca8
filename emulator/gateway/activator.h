// Who may pass: gives a request a place on an instance of its revision, and holds it while there is
// none (Knative's activator and breaker in one). Belongs to one gateway loop.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "emulator/gateway/instance_connection.h"
#include "emulator/gateway/route_table.h"
#include "platform/async/task.h"
#include "platform/base/result.h"

namespace hearth::async {
class Loop;
}

namespace hearth::gateway {

class Activator {
 public:
  // `need_instance` is called when a request has to wait for want of an instance.
  // Who waits is asked every `client_interval` whether his client is still there. The default is
  // longer than a cold start: a client that only has ended its own side gets its answer then.
  Activator(async::Loop& loop, std::function<void(const RevisionPtr&)> need_instance,
            std::chrono::milliseconds client_interval = std::chrono::seconds(5));
  ~Activator();

  // A place on an instance: released on destruction.
  class Place {
   public:
    Place(Activator& activator, RevisionPtr revision, InstancePtr instance);
    ~Place();
    Place(Place&& other) noexcept;
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    const InstancePtr& instance() const { return instance_; }

   private:
    Activator* activator_;
    RevisionPtr revision_;
    InstancePtr instance_;
  };

  // How long a request waits: until the time is over, the revision that its route led to exists no
  // more, or its client has gone.
  struct Wait {
    std::shared_ptr<const Route> route;
    std::chrono::milliseconds timeout;
    const http::Stream* client = nullptr;  // null: somebody within the platform
  };
  // kDeadlineExceeded, kExpired or kCancelled after these; kRateLimited when too many wait already.
  Task<Result<Place>> acquire(RevisionPtr revision, Wait wait, bool& was_cold);
  // This table was published: who waits for what it doesn't know any more waits in vain.
  void follow(const RouteTable& table);
  // Instances of this revision changed.
  void wake(const std::string& revision);

  // Idle connections of an instance.
  Task<Result<std::unique_ptr<InstanceConnection>>> connect(InstancePtr instance);
  void keep(const InstanceEndpoint& instance, std::unique_ptr<InstanceConnection> connection);
  // Closes what is idle.
  void forget(const std::string& instance_id);

 private:
  struct Waiter;
  struct RevisionState;
  struct InstanceState;
  RevisionState& state_of(const RevisionPtr& revision);
  InstancePtr take(const RevisionPtr& revision, RevisionState& state);
  InstancePtr take_in_turn(Waiter& waiter);
  void drop_ended_instances();
  Task<Result<InstancePtr>> wait_for_instance(Waiter& waiter, Wait wait);
  void release(const std::string& revision, const std::string& instance);

  async::Loop& loop_;
  std::function<void(const RevisionPtr&)> need_instance_;
  std::chrono::milliseconds client_interval_;
  std::unordered_map<std::string, std::unique_ptr<RevisionState>> revisions_;  // by key
  std::unordered_map<std::string, std::unique_ptr<InstanceState>> instances_;
};

}  // namespace hearth::gateway
