#include "platform/lambda/git_source.h"

#include <utility>

#include <fmt/format.h>

#include "platform/async/blocking.h"
#include "platform/async/loop.h"
#include "platform/base/random_id.h"
#include "platform/base/remove_tree.h"
#include "platform/lambda/clone_process.h"
#include "platform/lambda/git_tree.h"

namespace hearth::lambda {
namespace {

using std::chrono::steady_clock;

// How long an outcome waits for who asked for it: the controller asks again every 15 s. It is held
// in memory and keeps its place, so that few are.
constexpr std::chrono::seconds kKept{40};

class ScratchFolder {
 public:
  explicit ScratchFolder(const std::filesystem::path& root)
      : path_(root / ("git-" + base::random_hex(6))) {}
  ~ScratchFolder() { (void)base::remove_tree(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

// One of the few that clone at a time.
class GitSource::Place {
 public:
  explicit Place(GitSource& source) : source_(source) { ++source_.places_taken_; }
  ~Place() {
    --source_.places_taken_;
    source_.changed_.notify();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  GitSource& source_;
};

// Ends with the task that works on the attempt, however that ends: the next to ask begins anew.
class GitSource::Listing {
 public:
  Listing(GitSource& source, const GitLocation& location, const Attempt* attempt)
      : source_(source), location_(location), attempt_(attempt) {}
  ~Listing() {
    const auto it = source_.attempts_.find(location_);
    if (it != source_.attempts_.end() && it->second.get() == attempt_) source_.attempts_.erase(it);
  }
  Listing(const Listing&) = delete;
  Listing& operator=(const Listing&) = delete;

 private:
  GitSource& source_;
  const GitLocation& location_;
  const Attempt* attempt_;
};

GitSource::GitSource(async::Loop& loop, async::BlockingPool& pool, GitSourceOptions options)
    : loop_(loop), pool_(pool), options_(std::move(options)), changed_(loop), tasks_(loop) {}

GitSource::~GitSource() = default;

Task<void> GitSource::stop() {
  tasks_.cancel();
  co_await tasks_.drain();
}

Task<Result<SourceTree>> GitSource::fetch(GitLocation location) {
  const std::shared_ptr<Attempt> attempt = join(location);
  while (!attempt->outcome && !attempt->is_taken) {
    const auto left = attempt->patience_ends - steady_clock::now();
    if (left.count() <= 0) co_return fail(not_yet(location, *attempt));
    (void)co_await changed_.wait_for(left);
  }
  // Somebody else's by now: two functions have the same source.
  if (attempt->is_taken) co_return co_await fetch(std::move(location));
  attempt->is_taken = true;
  attempts_.erase(location);
  changed_.notify();
  co_return std::move(*attempt->outcome);
}

std::shared_ptr<GitSource::Attempt> GitSource::join(const GitLocation& location) {
  auto& listed = attempts_[location];
  if (listed) return listed;
  listed = std::make_shared<Attempt>();
  // Who finds no place has nothing to wait for that would end soon.
  listed->patience_ends = steady_clock::now();
  if (places_taken_ < options_.clones_max) listed->patience_ends += options_.patience;
  auto attempt = listed;
  tasks_.spawn(run(location, attempt));
  return attempt;
}

Error GitSource::not_yet(const GitLocation& location, const Attempt& attempt) const {
  // The same text each time, so that the status of a function doesn't change by waiting.
  if (!attempt.has_place) {
    return {Code::kUnavailable,
            fmt::format("git repository {}: waits until one of the {} that are being cloned is "
                        "there",
                        location.url, options_.clones_max),
            {}};
  }
  return {Code::kUnavailable,
          fmt::format("git repository {}: not there after {} s; cloning goes on for at most {} s",
                      location.url,
                      std::chrono::duration_cast<std::chrono::seconds>(options_.patience).count(),
                      options_.deadline.count()),
          {}};
}

Task<void> GitSource::run(GitLocation location, std::shared_ptr<Attempt> attempt) {
  const Listing listing(*this, location, attempt.get());
  while (places_taken_ >= options_.clones_max) {
    if (!co_await changed_.wait()) co_return;
  }
  const Place place(*this);
  attempt->has_place = true;
  attempt->outcome = co_await clone_and_read(location);
  changed_.notify();
  const auto dropped_at = steady_clock::now() + kKept;
  while (!attempt->is_taken && steady_clock::now() < dropped_at) {
    (void)co_await changed_.wait_for(dropped_at - steady_clock::now());
  }
}

Task<Result<SourceTree>> GitSource::clone_and_read(GitLocation location) {
  auto folder = std::make_unique<ScratchFolder>(options_.scratch);
  Status cloned = co_await clone_by_process(
      loop_, {.executable = options_.executable, .deadline = options_.deadline}, location,
      folder->path());
  // Also what failed goes by way of the pool: removing thousands of refs takes its time.
  co_return co_await pool_.run([folder = std::move(folder), cloned = std::move(cloned),
                                where = std::move(location)]() mutable -> Result<SourceTree> {
    const auto removed_at_end = std::move(folder);
    if (!cloned) return fail(std::move(cloned).error());
    return read_git_tree(removed_at_end->path(), where);
  });
}

}  // namespace hearth::lambda
