// Which folders below {state}/images can be trusted after a crash: those that are known to be whole
// on the disk, and that somebody has used of late. All others are unpacked again when needed.
//
// A folder is used as soon as it is unpacked; a moment later it is flushed, for all that are new in
// one go, and only then a mark beside it ("NAME.flushed") says so. The mark's time is that of its
// last use, give or take a day. On the loop of the runtime; removing and flushing run on the pool.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "platform/async/task.h"
#include "platform/base/clock.h"
#include "platform/base/result.h"

namespace hearth::async {
class BlockingPool;
}

namespace hearth::runtime {

// Kubernetes' kubelet drops images by their last use as well (imageMaximumGCAge). A week of
// holidays should not cost the first request afterwards its time.
inline constexpr std::chrono::hours kUnusedImageMax{24 * 14};

class UnpackedImages {
 public:
  // Sets aside what can't be trusted, before anybody runs from it; remove_set_aside() removes it.
  // `flush_delay`: images that are unpacked one after the other share a flush, which is one of the
  // whole disk.
  UnpackedImages(std::filesystem::path root, const base::Clock& clock, async::BlockingPool& pool,
                 std::chrono::milliseconds flush_delay = std::chrono::seconds(1));

  // Notes that somebody runs from the folder `name`. True: it is new, flush() should run.
  bool use(const std::string& name);
  // Flushes and marks all that are new; a second call meanwhile ends at once. What can't be flushed
  // stays new: it is unpacked again after the next start.
  Task<void> flush();
  Task<void> remove_set_aside();

 private:
  std::filesystem::path mark_of(const std::string& name) const;
  bool is_kept(const std::filesystem::path& entry) const;
  static Status flush_and_mark(const std::filesystem::path& root,
                               const std::vector<std::string>& names);

  std::filesystem::path root_;
  const base::Clock& clock_;
  async::BlockingPool& pool_;
  std::chrono::milliseconds flush_delay_;
  std::map<std::string, base::WallTime> used_;  // since the start: when their marks were set
  std::set<std::string> new_;
  std::vector<std::filesystem::path> set_aside_;
  bool flushing_ = false;
};

}  // namespace hearth::runtime
