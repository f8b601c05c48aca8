// Collections as they are and as they were: pages of lists that all show one version, and what
// happened since a version. Reads one snapshot of the database; call on the store's loop.
#pragma once

#include <cstdint>
#include <vector>

#include "emulator/store/tables.h"
#include "emulator/store/watch_hub.h"
#include "platform/resource/store.h"

namespace hearth::store {

// kExpired: the version that the options name is history; kBadRequest: a token of nobody.
Result<resource::List> read_page(sqlite::Database& database, const Scope& scope,
                                 const resource::ListOptions& options);

struct Replay {
  std::vector<resource::WatchEvent> events;
  std::uint64_t version = 0;  // up to which they tell everything
};

// What a watch from `version` begins with: the state when it is 0, else the changes since.
Result<Replay> read_replay(sqlite::Database& database, const Scope& scope, std::uint64_t version);

}  // namespace hearth::store
