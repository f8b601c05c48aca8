// Which copies and removals make a target what a source is: `hearth s3 sync`. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "platform/base/clock.h"

namespace hearth::cli {

// A file or an object by its name relative to the folder or prefix.
struct SyncEntry {
  std::uint64_t size = 0;
  base::WallTime modified;
};
using SyncTree = std::map<std::string, SyncEntry>;

enum class SyncRule {
  kSizeOrNewer,  // copied when the sizes differ or the source is newer, as awscli does
  kSizeOnly,
};

struct SyncPlan {
  std::vector<std::string> copies;
  std::vector<std::string> removals;  // in the target, not in the source
};

SyncPlan plan_sync(const SyncTree& source, const SyncTree& target, SyncRule rule);

}  // namespace hearth::cli
