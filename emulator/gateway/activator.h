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
  Activator(async::Loop& loop, std::function<void(const RevisionPtr&)> need_instance);
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

  // kDeadlineExceeded after `timeout`; kRateLimited when too many wait already.
  Task<Result<Place>> acquire(RevisionPtr revision, std::chrono::milliseconds timeout,
                              bool& was_cold);
  // Instances of this revision changed.
  void wake(const std::string& revision);

  // Idle connections of an instance.
  Task<Result<std::unique_ptr<InstanceConnection>>> connect(InstancePtr instance);
  void keep(const InstanceEndpoint& instance, std::unique_ptr<InstanceConnection> connection);
  void forget(const std::string& instance_id);

 private:
  struct Waiter;
  struct RevisionState;
  struct InstanceState;
  RevisionState& state_of(const std::string& revision);
  InstancePtr take(const RevisionPtr& revision);
  void release(const std::string& revision, const std::string& instance);

  async::Loop& loop_;
  std::function<void(const RevisionPtr&)> need_instance_;
  std::unordered_map<std::string, std::unique_ptr<RevisionState>> revisions_;
  std::unordered_map<std::string, std::unique_ptr<InstanceState>> instances_;
};

}  // namespace hearth::gateway
