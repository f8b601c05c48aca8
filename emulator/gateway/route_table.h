// What the data plane knows: hosts → routes → revisions → instances. The table is an immutable
// snapshot made by control; a revision is shared, its instances change under it atomically.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "platform/base/snapshot.h"
#include "platform/telemetry/metrics.h"

namespace hearth::gateway {

struct InstanceEndpoint {
  std::string id;
  std::string socket_path;  // of a wrapper that speaks frames; empty: HTTP/1.1 at the port
  std::string host;
  std::uint16_t port = 0;
  // Requests that it has now, counted by the gateway: control ends no instance that has one.
  std::shared_ptr<std::atomic<std::int64_t>> requests =
      std::make_shared<std::atomic<std::int64_t>>(0);
};
using Instances = std::vector<InstanceEndpoint>;
using InstancePtr = std::shared_ptr<const InstanceEndpoint>;

struct RevisionSettings {
  std::string ns;
  std::string name;
  std::string service;
  std::string configuration;
  std::int64_t concurrency = 0;  // requests at once an instance; 0: no limit
  std::chrono::milliseconds timeout{300'000};
};

// What the gateway counts of a revision.
struct RevisionMetrics {
  telemetry::RequestMetrics requests;  // by status, from arrival to the end of the answer
  telemetry::Histogram cold_starts;    // how long a request waited for the first instance
  telemetry::Gauge queued;             // requests without a place on an instance
};

// Shared by control (sets instances, reads the counters) and the gateway's loops.
class Revision {
 public:
  explicit Revision(RevisionSettings settings);

  const RevisionSettings& settings() const { return settings_; }
  const std::string& key() const { return key_; }
  std::shared_ptr<const Instances> instances() const { return instances_.load(); }
  void set_instances(Instances instances);
  // It was deleted: its instances end, and it never gets another.
  void retire();
  bool retired() const { return retired_.load(); }

  // Requests that wait or run now, and all that ever came.
  std::atomic<std::int64_t> in_flight{0};
  std::atomic<std::uint64_t> arrivals{0};
  RevisionMetrics metrics;

 private:
  RevisionSettings settings_;
  std::string key_;
  base::Snapshot<Instances> instances_;
  std::atomic<bool> retired_{false};
};

using RevisionPtr = std::shared_ptr<Revision>;

struct RouteTarget {
  RevisionPtr revision;
  std::int64_t percent = 100;
};

struct Route {
  std::string ns;
  std::string name;
  std::vector<RouteTarget> targets;

  // `dice` in [0, 100). Null when the route has no target.
  RevisionPtr pick(std::int64_t dice) const;
};

struct RouteTable {
  std::unordered_map<std::string, std::shared_ptr<const Route>> by_host;
  std::unordered_map<std::string, std::shared_ptr<const Route>> by_name;  // "ns/name"

  // The most similar names of functions in the namespace, for a 404 that helps; at most three.
  std::vector<std::string> near_misses(std::string_view ns, std::string_view name) const;
};

}  // namespace hearth::gateway
