// A function's code from a git repository: cloned by a process of its own (clone_process.h) to a
// scratch folder, then read on the pool. The folder is removed in every case.
//
// A server may answer late or never, so nobody waits for it long: fetch() says kUnavailable after a
// while and the clone goes on; who asks again for the same gets what has become of it. The
// controller's few workers and the pool's threads stay free.
//
// A few clones at a time, the rest wait. Servers that never answer can
// take all places and delay other repositories, by the deadline at most for each round; what is
// built from anything else isn't concerned.
//
// On one loop.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "platform/async/signal.h"
#include "platform/async/task.h"
#include "platform/async/task_group.h"
#include "platform/lambda/source.h"

namespace hearth::async {
class BlockingPool;
class Loop;
}  // namespace hearth::async

namespace hearth::lambda {

struct GitSourceOptions {
  std::filesystem::path scratch;
  // The running program itself, also after its file was replaced.
  std::string executable = "/proc/self/exe";
  std::chrono::seconds deadline = std::chrono::minutes(10);
  std::chrono::milliseconds patience{10'000};  // of who asks
  std::size_t clones_max = 4;
};

class GitSource {
 public:
  // References outlive it.
  GitSource(async::Loop& loop, async::BlockingPool& pool, GitSourceOptions options);
  ~GitSource();

  // kNotFound names repository, ref or path. kUnauthorized: credentials missing or refused.
  // kUnavailable: also when it isn't there yet; ask again.
  Task<Result<SourceTree>> fetch(GitLocation location);
  // Ends all clones and their processes. Nobody may be waiting for one any more.
  Task<void> stop();

 private:
  // One clone, from when it is asked for until its outcome is taken.
  struct Attempt {
    std::chrono::steady_clock::time_point patience_ends;
    bool has_place = false;
    bool is_taken = false;
    std::optional<Result<SourceTree>> outcome;
  };
  class Place;
  class Listing;

  std::shared_ptr<Attempt> join(const GitLocation& location);
  Task<void> run(GitLocation location, std::shared_ptr<Attempt> attempt);
  Task<Result<SourceTree>> clone_and_read(GitLocation location);
  Error not_yet(const GitLocation& location, const Attempt& attempt) const;

  async::Loop& loop_;
  async::BlockingPool& pool_;
  GitSourceOptions options_;
  std::map<GitLocation, std::shared_ptr<Attempt>> attempts_;
  std::size_t places_taken_ = 0;
  async::Signal changed_;  // an attempt, or the places
  async::TaskGroup tasks_;
};

}  // namespace hearth::lambda
