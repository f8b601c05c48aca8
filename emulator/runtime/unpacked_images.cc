#include "emulator/runtime/unpacked_images.h"

#include <cerrno>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/async/blocking.h"
#include "platform/async/timer.h"
#include "platform/base/file.h"
#include "platform/base/random_id.h"
#include "platform/base/remove_tree.h"
#include "platform/base/unique_fd.h"
#include "platform/telemetry/log.h"

namespace hearth::runtime {
namespace {

constexpr telemetry::Log kLog("runtime");
constexpr std::string_view kMark = ".flushed";
// A mark is set anew after this: not at every start of an instance.
constexpr std::chrono::hours kMarkInterval{24};

// The time of a mark; nothing when there is none.
std::optional<base::WallTime> last_use(const std::filesystem::path& mark) {
  struct stat status{};
  if (::lstat(mark.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return base::WallTime(std::chrono::seconds(status.st_mtim.tv_sec));
}

void set_last_use(const std::filesystem::path& mark, base::WallTime now) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
  const timespec times[2] = {{.tv_sec = seconds.count(), .tv_nsec = 0},
                             {.tv_sec = seconds.count(), .tv_nsec = 0}};
  // Only the age of a folder is lost with it.
  (void)::utimensat(AT_FDCWD, mark.c_str(), times, 0);
}

}  // namespace

UnpackedImages::UnpackedImages(std::filesystem::path root, const base::Clock& clock,
                               async::BlockingPool& pool, std::chrono::milliseconds flush_delay)
    : root_(std::move(root)), clock_(clock), pool_(pool), flush_delay_(flush_delay) {
  std::vector<std::filesystem::path> entries;
  for (const auto& entry : std::filesystem::directory_iterator(root_)) {
    if (!is_kept(entry.path())) entries.push_back(entry.path());
  }
  for (const std::filesystem::path& entry : entries) {
    const std::filesystem::path aside = root_ / ("aside-" + base::random_hex(6));
    // Start-up fails rather than to run what may be half there.
    std::filesystem::rename(entry, aside);
    set_aside_.push_back(aside);
  }
}

std::filesystem::path UnpackedImages::mark_of(const std::string& name) const {
  return root_ / (name + std::string(kMark));
}

bool UnpackedImages::is_kept(const std::filesystem::path& entry) const {
  const bool is_mark = entry.extension() == kMark;
  const std::string name = is_mark ? entry.stem() : entry.filename();
  const auto used = last_use(mark_of(name));
  if (!used || clock_.wall() - *used > kUnusedImageMax) return false;
  return !is_mark || std::filesystem::is_directory(root_ / name);
}

bool UnpackedImages::use(const std::string& name) {
  const auto now = clock_.wall();
  const auto [it, is_first] = used_.try_emplace(name, now);
  if (!is_first && now - it->second < kMarkInterval) return new_.contains(name) && !flushing_;
  it->second = now;
  const std::filesystem::path mark = mark_of(name);
  if (!last_use(mark)) {
    new_.insert(name);
    return !flushing_;
  }
  set_last_use(mark, now);
  return false;
}

Status UnpackedImages::flush_and_mark(const std::filesystem::path& root,
                                      const std::vector<std::string>& names) {
  const base::UniqueFd fd(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::syncfs(fd.get()) != 0) return fail(system_error(errno, "flushing images"));
  for (const std::string& name : names) {
    HEARTH_CHECK_OK(base::write_file_atomically(root / (name + std::string(kMark)), "", 0600));
  }
  return {};
}

Task<void> UnpackedImages::flush() {
  if (std::exchange(flushing_, true)) co_return;
  while (!new_.empty()) {
    if (!co_await async::sleep_for(flush_delay_)) break;
    const std::vector<std::string> names(new_.begin(), new_.end());
    const Status flushed =
        co_await pool_.run([root = root_, names] { return flush_and_mark(root, names); });
    if (!flushed) {
      kLog.warn("image_flush_failed", {{"error", flushed.error().message}});
      break;
    }
    for (const std::string& name : names) {
      set_last_use(mark_of(name), clock_.wall());
      new_.erase(name);
    }
  }
  flushing_ = false;
}

Task<void> UnpackedImages::remove_set_aside() {
  if (set_aside_.empty()) co_return;
  co_await pool_.run([folders = std::exchange(set_aside_, {})] {
    for (const std::filesystem::path& folder : folders) (void)base::remove_tree(folder);
    return 0;
  });
}

}  // namespace hearth::runtime
