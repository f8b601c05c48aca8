#include "emulator/metrics_page.h"

#include <filesystem>

#include <sys/resource.h>
#include <unistd.h>

#include "platform/base/file.h"
#include "platform/base/text.h"

namespace hearth::emulator {
namespace {

using telemetry::Labels;
using telemetry::MetricsPage;
using telemetry::MetricType;

constexpr std::size_t kProcFileBytesMax = 4096;

Labels labels_of(const gateway::Revision& revision) {
  const gateway::RevisionSettings& settings = revision.settings();
  return {{"k8s_namespace_name", settings.ns},
          {"kn_service_name", settings.service},
          {"kn_configuration_name", settings.configuration},
          {"kn_revision_name", settings.name}};
}

Labels with(Labels labels, std::string_view name, std::string value) {
  labels.emplace_back(name, std::move(value));
  return labels;
}

template <typename Value>
void gauge_of_revisions(MetricsPage& page, std::string_view name, std::string_view help,
                        const std::vector<RevisionView>& views, Value value) {
  page.family(name, MetricType::kGauge, help);
  for (const RevisionView& view : views) {
    page.sample(labels_of(*view.revision), static_cast<double>(value(view)));
  }
}

double resident_bytes() {
  // /proc/self/statm: size resident shared … in pages.
  const auto text = base::read_file("/proc/self/statm", kProcFileBytesMax);
  if (!text) return 0;
  const auto fields = base::split(*text, ' ');
  const auto pages = fields.size() > 1 ? base::parse_int<std::int64_t>(fields[1]) : std::nullopt;
  return static_cast<double>(pages.value_or(0) * ::sysconf(_SC_PAGESIZE));
}

double open_descriptors() {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // the folder's own descriptor is one of them
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

void write_revision_metrics(MetricsPage& page, const std::vector<RevisionView>& views) {
  page.family("kn_serving_invocation_duration_seconds", MetricType::kHistogram,
              "Requests to a revision by status, from their arrival to the end of their answer.");
  for (const RevisionView& view : views) {
    const Labels labels = labels_of(*view.revision);
    view.revision->metrics.requests.each([&](int code, const telemetry::Histogram& duration) {
      page.histogram(with(labels, "http_response_status_code", std::to_string(code)), duration);
    });
  }
  page.family("hearth_cold_start_duration_seconds", MetricType::kHistogram,
              "How long requests waited that came while their revision had no instance.");
  for (const RevisionView& view : views) {
    page.histogram(labels_of(*view.revision), view.revision->metrics.cold_starts);
  }
  gauge_of_revisions(page, "kn_revision_request_concurrency", "Requests that wait or run.", views,
                     [](const RevisionView& v) { return v.revision->in_flight.load(); });
  gauge_of_revisions(page, "kn_revision_request_queued",
                     "Requests that wait for a place on an instance.", views,
                     [](const RevisionView& v) { return v.revision->metrics.queued.value(); });
  gauge_of_revisions(page, "kn_revision_pods_count", "Instances that take requests.", views,
                     [](const RevisionView& v) { return v.revision->instances()->size(); });
  gauge_of_revisions(page, "kn_revision_pods_desired", "Instances that there should be.", views,
                     [](const RevisionView& v) { return v.desired; });
}

void write_object_store_metrics(MetricsPage& page, const objectstore::Metrics& metrics) {
  page.family("hearth_s3_request_duration_seconds", MetricType::kHistogram,
              "Requests to the object store by method and status.");
  for (std::size_t i = 0; i < metrics.requests.size(); ++i) {
    metrics.requests[i].each([&](int code, const telemetry::Histogram& duration) {
      page.histogram({{"method", std::string(objectstore::Metrics::kMethods[i])},
                      {"http_response_status_code", std::to_string(code)}},
                     duration);
    });
  }
  page.family("hearth_s3_bytes_total", MetricType::kCounter,
              "Bytes of bodies that the object store received and sent.");
  page.sample({{"direction", "received"}}, static_cast<double>(metrics.bytes_received.value()));
  page.sample({{"direction", "sent"}}, static_cast<double>(metrics.bytes_sent.value()));
}

void write_build_metrics(MetricsPage& page, const workloads::BuildMetrics& metrics) {
  page.family("hearth_build_duration_seconds", MetricType::kHistogram, "Builds by their result.");
  page.histogram({{"result", "succeeded"}}, metrics.succeeded);
  page.histogram({{"result", "failed"}}, metrics.failed);
}

void write_server_metrics(MetricsPage& page, const std::vector<NamedRequests>& servers) {
  page.family("hearth_http_request_duration_seconds", MetricType::kHistogram,
              "Requests to the platform's own servers by status; watches count when they end.");
  for (const auto& [name, requests] : servers) {
    requests->each([&](int code, const telemetry::Histogram& duration) {
      page.histogram({{"server", name}, {"http_response_status_code", std::to_string(code)}},
                     duration);
    });
  }
}

void write_store_metrics(MetricsPage& page, const StoreView& view) {
  page.single("hearth_store_resource_version", MetricType::kGauge,
              "Changes of objects since the state folder was made.",
              static_cast<double>(view.resource_version));
  page.single("hearth_store_watches", MetricType::kGauge, "Open watches, controllers' included.",
              static_cast<double>(view.watches));
  page.single("hearth_database_writes_total", MetricType::kCounter,
              "Writes of objects, events and metadata that were committed.",
              static_cast<double>(view.database.writes));
  page.single("hearth_database_commits_total", MetricType::kCounter,
              "Transactions, each with one flush: writes that wait together share one.",
              static_cast<double>(view.database.commits));
}

void write_process_metrics(MetricsPage& page, const std::vector<LoopLag>& lags) {
  page.family("hearth_loop_lag_seconds", MetricType::kGauge,
              "How long work posted to a loop for this very answer waited for its turn.");
  for (const auto& [name, lag] : lags) {
    page.sample({{"loop", name}}, std::chrono::duration<double>(lag).count());
  }
  page.single("process_resident_memory_bytes", MetricType::kGauge,
              "Resident memory of the daemon, without its instances.", resident_bytes());
  page.single("process_open_fds", MetricType::kGauge, "Open file descriptors.", open_descriptors());
  page.single("process_cpu_seconds_total", MetricType::kCounter,
              "Processor time of the daemon, user and system.", cpu_seconds());
}

}  // namespace hearth::emulator
