// GET /metrics: what every room counts, as one page for Prometheus. docs/metrics.md lists the
// names.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "emulator/gateway/route_table.h"
#include "emulator/objectstore/service.h"
#include "emulator/workloads/job_controller.h"
#include "platform/sqlite/writer.h"
#include "platform/telemetry/metrics.h"

namespace hearth::emulator {

// A revision that a route names, and how many instances its autoscaler wants.
struct RevisionView {
  gateway::RevisionPtr revision;
  std::int64_t desired = 0;
};

void write_revision_metrics(telemetry::MetricsPage& page, const std::vector<RevisionView>& views);
void write_object_store_metrics(telemetry::MetricsPage& page, const objectstore::Metrics& metrics);
void write_build_metrics(telemetry::MetricsPage& page, const workloads::BuildMetrics& metrics);

using NamedRequests = std::pair<std::string, const telemetry::RequestMetrics*>;
void write_server_metrics(telemetry::MetricsPage& page, const std::vector<NamedRequests>& servers);

struct StoreView {
  sqlite::WriterCounts database;
  std::uint64_t resource_version = 0;
  std::size_t watches = 0;
};
void write_store_metrics(telemetry::MetricsPage& page, const StoreView& view);

// How long work that was posted to a loop just now waited for its turn.
using LoopLag = std::pair<std::string, std::chrono::nanoseconds>;
void write_process_metrics(telemetry::MetricsPage& page, const std::vector<LoopLag>& lags);

}  // namespace hearth::emulator
