#include "platform/sqlite/writer.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include <pthread.h>

#include "platform/base/failpoint.h"

namespace hearth::sqlite {
namespace {
constexpr std::size_t kBatchMax = 128;  // measured: larger batches only add latency
constexpr std::size_t kQueueMax = 20'000;
constexpr auto kIdleBeforeCheckpoint = std::chrono::milliseconds(200);
}  // namespace

struct Writer::State {
  explicit State(Database d) : database(std::move(d)) {}

  void run();
  std::vector<Work> take_batch(bool& dirty);
  void apply_batch(std::vector<Work>& batch);
  Status commit_all(std::vector<Work>& batch);

  Database database;
  std::vector<std::function<void(const Status&)>> observers;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Work> queue;
  bool stopping = false;
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> commits{0};
  std::thread thread;
};

Writer::Writer(Database database) : state_(std::make_unique<State>(std::move(database))) {
  state_->thread = std::thread([state = state_.get()] {
    pthread_setname_np(pthread_self(), "sqlite-writer");
    state->run();
  });
}

Writer::~Writer() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_one();
  state_->thread.join();
}

void Writer::observe_batches(std::function<void(const Status&)> observer) {
  state_->observers.push_back(std::move(observer));
}

WriterCounts Writer::counts() const {
  return {state_->writes.load(std::memory_order_relaxed),
          state_->commits.load(std::memory_order_relaxed)};
}

void Writer::enqueue(Work work) {
  std::unique_lock lock(state_->mutex);
  if (state_->queue.size() >= kQueueMax || state_->stopping) {
    lock.unlock();
    work.finish(fail(Code::kUnavailable, "the store's write queue is full"));
    return;
  }
  state_->queue.push_back(std::move(work));
  lock.unlock();
  state_->wake.notify_one();
}

void Writer::State::run() {
  bool dirty = false;
  while (true) {
    std::vector<Work> batch = take_batch(dirty);
    if (batch.empty()) return;
    apply_batch(batch);
    dirty = true;
  }
}

// Waits for work; empty when stopping. Uses idle time to write the WAL back.
std::vector<Writer::Work> Writer::State::take_batch(bool& dirty) {
  std::unique_lock lock(mutex);
  const auto ready = [this] { return !queue.empty() || stopping; };
  while (!ready()) {
    if (!dirty) {
      wake.wait(lock, ready);
    } else if (!wake.wait_for(lock, kIdleBeforeCheckpoint, ready)) {
      lock.unlock();
      database.checkpoint();
      dirty = false;
      lock.lock();
    }
  }
  std::vector<Work> batch;
  while (!queue.empty() && batch.size() < kBatchMax) {
    batch.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  return batch;
}

void Writer::State::apply_batch(std::vector<Work>& batch) {
  const Status committed = commit_all(batch);
  if (committed) {
    writes.fetch_add(batch.size(), std::memory_order_relaxed);
    commits.fetch_add(1, std::memory_order_relaxed);
    // It is durable: there is nothing left to fail, only a place to be killed at.
    (void)base::failpoint("sqlite.committed");
  } else {
    // Fails where no transaction is open, which is what it is for.
    (void)database.execute("ROLLBACK");
  }
  for (const auto& observer : observers) observer(committed);
  for (Work& work : batch) work.finish(committed);
}

Status Writer::State::commit_all(std::vector<Work>& batch) {
  HEARTH_CHECK_OK(base::failpoint("sqlite.begin"));
  HEARTH_CHECK_OK(database.prepare("BEGIN IMMEDIATE").run());
  for (Work& work : batch) {
    // Savepoints cost 2 µs; they let one work fail without its neighbours.
    HEARTH_CHECK_OK(database.prepare("SAVEPOINT work").run());
    if (!work.apply(database)) HEARTH_CHECK_OK(database.prepare("ROLLBACK TO work").run());
    HEARTH_CHECK_OK(database.prepare("RELEASE work").run());
  }
  HEARTH_CHECK_OK(base::failpoint("sqlite.commit"));
  return database.prepare("COMMIT").run();
}

}  // namespace hearth::sqlite
