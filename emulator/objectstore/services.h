// What the operations work with; owned by ObjectStore, all on its loop.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "emulator/blobs/blob_store.h"
#include "platform/base/clock.h"
#include "platform/sqlite/database.h"
#include "platform/sqlite/writer.h"

namespace hearth::async {
class BlockingPool;
}

namespace hearth::objectstore {

struct ObjectEvent {
  enum class Kind { kCreated, kRemoved };
  Kind kind = Kind::kCreated;
  std::string bucket;
  std::string key;
  std::string etag;  // empty when removed
  std::uint64_t size = 0;
};

struct Services {
  sqlite::Writer& writer;
  sqlite::Database reader;  // read-only, used on the loop only
  blobs::BlobStore& blobs;
  async::BlockingPool& pool;
  base::Clock& clock;
  std::string region;
  std::function<void(const ObjectEvent&)> on_event;
  std::int64_t last_data_id = 0;
  std::int64_t pruned_ms = 0;

  std::int64_t next_data_id() { return ++last_data_id; }
  std::int64_t now_ms() const {
    return std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch())
        .count();
  }
  void tell(ObjectEvent event) const {
    if (on_event) on_event(event);
  }
};

// "2026-11-21T03:04:05.123Z"
std::string iso_time(std::int64_t ms);
// "Sat, 21 Nov 2026 03:04:05 GMT"
std::string http_time(std::int64_t ms);

}  // namespace hearth::objectstore
