#include "cli/s3_sync.h"

namespace hearth::cli {
namespace {

// Stores keep milliseconds or whole seconds: less than that is no difference.
constexpr std::chrono::seconds kTimeResolution{1};

bool differs(const SyncEntry& source, const SyncEntry& target, SyncRule rule) {
  if (source.size != target.size) return true;
  return rule == SyncRule::kSizeOrNewer && source.modified > target.modified + kTimeResolution;
}

}  // namespace

SyncPlan plan_sync(const SyncTree& source, const SyncTree& target, SyncRule rule) {
  SyncPlan plan;
  for (const auto& [name, entry] : source) {
    const auto there = target.find(name);
    if (there == target.end() || differs(entry, there->second, rule)) plan.copies.push_back(name);
  }
  for (const auto& [name, entry] : target) {
    if (!source.contains(name)) plan.removals.push_back(name);
  }
  return plan;
}

}  // namespace hearth::cli
