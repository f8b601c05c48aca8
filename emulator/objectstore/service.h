// The S3 server: an http::Handler on one loop. Metadata and small objects are rows of the house's
// database, large ones are blobs; every answer of a write goes out after both are durable.
//
// Answers are S3's own for what it implements and 501 NotImplemented, naming the operation, for the
// rest (docs/differences.md). A full disk is 507 InsufficientStorage and the server goes on.
#pragma once

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "emulator/objectstore/services.h"
#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/telemetry/metrics.h"

namespace hearth::async {
class Loop;
class BlockingPool;
}  // namespace hearth::async

namespace hearth::http {
class Exchange;
}

namespace hearth::objectstore {

struct Options {
  std::unordered_map<std::string, std::string> credentials;  // access key → secret
  std::string region = "us-east-1";
  std::string domain = "s3.localhost";  // of virtual-host style: {bucket}.{domain}; may be empty
};

// What was asked of the store. Atomics: any thread may read them.
struct Metrics {
  static constexpr std::array<std::string_view, 6> kMethods{"GET",  "HEAD",   "PUT",
                                                            "POST", "DELETE", "other"};
  std::array<telemetry::RequestMetrics, kMethods.size()> requests;
  telemetry::Counter bytes_received;
  telemetry::Counter bytes_sent;
};

class ObjectStore {
 public:
  // For sqlite::migrate(), before the store is opened.
  static constexpr std::string_view kRoom = "objectstore";
  static const std::span<const std::string_view> kMigrations;

  // Opens its own read-only connection to the migrated database. All references outlive the store.
  static Result<std::unique_ptr<ObjectStore>> open(async::Loop& loop, sqlite::Writer& writer,
                                                   const std::filesystem::path& database,
                                                   blobs::BlobStore& blobs,
                                                   async::BlockingPool& pool, base::Clock& clock,
                                                   Options options);
  ~ObjectStore();
  ObjectStore(const ObjectStore&) = delete;
  ObjectStore& operator=(const ObjectStore&) = delete;

  // On the loop, as http::Handler.
  Task<void> handle(http::Exchange& exchange);

  // Called on the loop after an object was created or removed.
  void on_event(std::function<void(const ObjectEvent&)> hook);

  // Replaces the keys that may sign. On the loop.
  void set_credentials(std::unordered_map<std::string, std::string> credentials);
  const Metrics& metrics() const;

  // Blobs that objects or unfinished uploads refer to, for garbage collection. On the loop.
  Result<std::unordered_set<std::string>> live_digests();

 private:
  struct State;
  explicit ObjectStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::objectstore
