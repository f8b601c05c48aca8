// PingSource and CronJobSource: events on a schedule. Ticks that fall into a time when nobody
// looked are not made up for, as upstream.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "emulator/eventing/deliverer.h"
#include "emulator/eventing/destination.h"
#include "emulator/eventing/eventing.h"
#include "emulator/eventing/referrers.h"
#include "platform/async/signal.h"
#include "platform/async/task_group.h"
#include "platform/base/clock_watch.h"
#include "platform/event/cron.h"
#include "platform/resource/controller.h"

namespace hearth::eventing {

struct SourceKind {
  resource::Type type;
  std::string event_type;
  // PingSource sends its data as it is; CronJobSource always sends JSON.
  bool always_json = false;
};

extern const SourceKind kPingSource;
extern const SourceKind kCronJobSource;

class SourceController {
 public:
  SourceController(async::Loop& loop, resource::Store& store, const base::Clock& clock,
                   const SourceKind& kind, resource::Informer& sources,
                   const Destinations& destinations, const Dispatch& dispatch,
                   Deliverer::Publish publish);
  void start();
  Task<void> stop();
  // An object that may be addressed came, changed or went.
  void recheck(const resource::ObjectKey& addressed, bool deleted);

 private:
  // What a source's spec comes to.
  struct Plan {
    event::CronSchedule schedule;
    event::CloudEvent event;  // without id and time
    Json sink;
    std::string ns;
  };
  struct Entry {
    std::shared_ptr<const Plan> plan;
    std::int64_t generation = 0;
    std::string uid;
    std::optional<base::WallTime> next;
  };

  Task<Result<resource::Requeue>> reconcile(resource::ObjectKey key);
  Result<Plan> plan_of(const Json& source) const;
  Status set_data(const Json& spec, event::CloudEvent& event) const;
  void adopt(const Json& source, Plan plan);
  Task<void> tick();
  std::optional<base::WallTime> fire_due();
  Task<void> fire(std::shared_ptr<const Plan> plan);
  Task<Status> send(std::shared_ptr<const Plan> plan, event::CloudEvent event);

  resource::Store& store_;
  const base::Clock& clock_;
  const SourceKind& kind_;
  resource::Informer& sources_;
  const Destinations& destinations_;
  const Dispatch& dispatch_;
  Deliverer::Publish publish_;
  base::ClockWatch clock_watch_;
  std::map<resource::ObjectKey, Entry> entries_;
  Referrers referrers_;
  async::Signal changed_;
  async::TaskGroup tasks_;
  bool stopping_ = false;
  resource::Controller controller_;
};

}  // namespace hearth::eventing
