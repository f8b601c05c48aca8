// Jobs. A Kaniko Job is given to the embedded builder; any other kind of Job is refused with a
// condition that says so. The build's output is the log of a Pod, as in a cluster.
//
// Lives on the control loop.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/resource/event_recorder.h"
#include "platform/resource/store.h"
#include "platform/telemetry/metrics.h"

namespace hearth::async {
class BlockingPool;
class Loop;
}  // namespace hearth::async
namespace hearth::builder {
class Builder;
}
namespace hearth::runtime {
class LogStore;
}

namespace hearth::workloads {

// A context in a bucket: --context=s3://bucket/key with what S3_ENDPOINT says.
struct BucketContext {
  std::string endpoint;  // empty: the platform's own store
  std::string bucket;
  std::string key;
};

struct JobControllerOptions {
  std::filesystem::path scratch;    // for unpacked contexts
  std::size_t parallel_builds = 2;  // others wait
  // The archive's bytes.
  std::function<Task<Result<std::string>>(BucketContext)> fetch_context;
  resource::RecordEvent record;  // may be empty
};

struct BuildMetrics {
  telemetry::Histogram succeeded;
  telemetry::Histogram failed;
};

class JobController {
 public:
  JobController(async::Loop& loop, async::BlockingPool& pool, resource::Store& store,
                builder::Builder& builder, runtime::LogStore& logs, const base::Clock& clock,
                JobControllerOptions options);
  ~JobController();

  void start();
  Task<void> stop();
  const BuildMetrics& metrics() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace hearth::workloads
