#include "emulator/journal/journal.h"

#include <filesystem>
#include <limits>

#include <gtest/gtest.h>

#include "emulator/journal/codec.h"
#include "platform/async/loop.h"
#include "platform/base/random_id.h"

namespace hearth::journal {
namespace {

using namespace std::chrono_literals;

EntryPtr sample(const std::string& id, const std::string& type = "t") {
  auto entry = std::make_shared<Entry>();
  entry->ns = "default";
  entry->broker = "main";
  entry->received = base::WallTime{1'700'000'000s};
  entry->event.id = id;
  entry->event.source = "/tests";
  entry->event.type = type;
  entry->event.time = "2026-11-21T03:04:05.123+02:00";
  entry->event.datacontenttype = "application/json";
  entry->event.extensions = {{"color", "a=b"}, {"empty", ""}};
  entry->event.data = std::string("{\"a\":\0}", 7);
  entry->headers = {{"traceparent", "00-1-2-01"}};
  return entry;
}

class JournalTest : public testing::Test {
 public:
  JournalTest() : path_(testing::TempDir() + "journal-" + base::random_hex(6)) {
    loop_.start();
    open();
  }
  ~JournalTest() override {
    close();
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }

 protected:
  void open() {
    auto database = sqlite::Database::open(path_, sqlite::OpenMode::kReadWrite).value();
    ASSERT_TRUE(sqlite::migrate(database, kRoom, kMigrations));
    writer_ = std::make_unique<sqlite::Writer>(std::move(database));
    journal_ = std::make_unique<Journal>(
        loop_, *writer_, sqlite::Database::open(path_, sqlite::OpenMode::kReadOnly).value(), clock_,
        options_);
    ASSERT_TRUE(journal_->load());
  }
  void close() {
    loop_.run_blocking(journal_->stop());
    journal_.reset();
    writer_.reset();
  }
  void reopen() {
    close();
    open();
  }

  template <typename T>
  T await(Task<T> task) {
    std::optional<T> out;
    loop_.run_blocking(keep(std::move(task), out));
    return std::move(*out);
  }
  template <typename T>
  static Task<void> keep(Task<T> task, std::optional<T>& out) {
    out = co_await std::move(task);
  }

  TriggerId intern(const std::string& uid) {
    return await(journal_->intern({uid, "default", "trigger-" + uid})).value();
  }
  Sequence append(const std::string& id, std::vector<TriggerId> triggers) {
    return await(journal_->append({{sample(id), std::move(triggers)}})).value();
  }
  Result<std::int64_t> record(Outcome outcome) {
    return await(journal_->record(std::move(outcome)));
  }

  std::string path_;
  base::VirtualClock clock_;
  Options options_;
  async::Loop loop_{"test"};
  std::unique_ptr<sqlite::Writer> writer_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(JournalTest, NumbersTheEventsOfABatchInOrder) {
  const TriggerId a = intern("a");
  append("before", {});
  const Sequence first =
      await(journal_->append({{sample("1"), {a}}, {sample("2"), {}}, {sample("3"), {a}}})).value();
  EXPECT_EQ(append("after", {}), first + 3);
  reopen();
  EXPECT_EQ(journal_->read(first + 1).value()->event.id, "2");
  const auto waiting = journal_->pending(a, 0, 10).value();
  ASSERT_EQ(waiting.size(), 2U);
  EXPECT_EQ(waiting[1].sequence, first + 2);
}

TEST_F(JournalTest, KeepsEventsAndWaitingDeliveriesOverARestart) {
  const TriggerId a = intern("a");
  const TriggerId b = intern("b");
  EXPECT_EQ(intern("a"), a);
  const Sequence first = append("1", {a, b});
  const Sequence second = append("2", {b});
  EXPECT_LT(first, second);
  ASSERT_TRUE(record({.sequence = first, .trigger = a, .attempts = 1, .code = 200}));
  const auto not_before = from_millis(1'700'000'009'000);
  ASSERT_TRUE(record({.sequence = first,
                      .trigger = b,
                      .state = DeliveryState::kPending,
                      .attempts = 2,
                      .not_before = not_before,
                      .code = 503,
                      .reason = "busy"}));
  reopen();
  EXPECT_TRUE(journal_->pending(a, 0, 10)->empty());
  const auto waiting = journal_->pending(b, 0, 10).value();
  ASSERT_EQ(waiting.size(), 2U);
  EXPECT_EQ(waiting[0].attempts, 2);
  EXPECT_EQ(waiting[0].not_before, not_before);
  EXPECT_EQ(waiting[1].sequence, second);
  EXPECT_EQ(journal_->unfinished_triggers()->size(), 1U);
  const EntryPtr entry = journal_->read(first).value();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->event, sample("1")->event);
  EXPECT_EQ(entry->headers, sample("1")->headers);
  EXPECT_GT(append("3", {}), second);
}

TEST_F(JournalTest, EndsADeliveryOnce) {
  const TriggerId a = intern("a");
  const Sequence sequence = append("1", {a});
  Outcome dead{.sequence = sequence,
               .trigger = a,
               .state = DeliveryState::kDeadLettered,
               .attempts = 4,
               .code = 500,
               .reason = "HTTP 500"};
  EXPECT_GT(record(dead).value(), 0);
  EXPECT_EQ(record(dead).value(), 0);
  EXPECT_EQ(journal_->dead_letters({})->size(), 1U);
  EXPECT_EQ(journal_->show("1")->deliveries.at(0).state, DeliveryState::kDeadLettered);
}

TEST_F(JournalTest, ReplaysAndPurgesDeadLetters) {
  const TriggerId a = intern("a");
  std::vector<std::int64_t> ids;
  for (const char* id : {"1", "2", "3"}) {
    ids.push_back(record({.sequence = append(id, {a}),
                          .trigger = a,
                          .state = DeliveryState::kDeadLettered,
                          .attempts = 1,
                          .code = 422,
                          .reason = "HTTP 422",
                          .destination = "http://x/",
                          .body_excerpt = "no",
                          .has_sink = true})
                      .value());
  }
  const DeadLetter letter = journal_->dead_letter(ids[0]).value();
  EXPECT_EQ(letter.body_excerpt, "no");
  EXPECT_EQ(letter.event_id, "1");
  EXPECT_EQ(letter.sink, SinkState::kDue);
  EXPECT_EQ(journal_->due_for_sink(a)->size(), 3U);
  ASSERT_TRUE(await(journal_->record_sink(ids[0], SinkState::kSent)));
  EXPECT_EQ(journal_->due_for_sink(a)->size(), 2U);

  EXPECT_EQ(await(journal_->replay(ids[0], a)).value(), letter.sequence);
  EXPECT_EQ(journal_->pending(a, 0, 10)->size(), 1U);
  EXPECT_EQ(await(journal_->replay(ids[0], a)).error().code, Code::kNotFound);
  EXPECT_EQ(await(journal_->trim_dead_letters(1)).value(), 1);
  EXPECT_EQ(await(journal_->purge_dead_letters("other", "")).value(), 0);
  EXPECT_EQ(await(journal_->purge_dead_letters("default", "trigger-a")).value(), 1);
  EXPECT_EQ(await(journal_->purge_dead_letter(ids[2])).error().code, Code::kNotFound);
}

TEST_F(JournalTest, PurgesWhatWaitsForATriggerThatIsGone) {
  const TriggerId a = intern("a");
  append("1", {a});
  append("2", {a});
  EXPECT_EQ(await(journal_->purge_pending(a)).value(), 2);
  EXPECT_TRUE(journal_->unfinished_triggers()->empty());
  EXPECT_EQ(journal_->show("2")->deliveries.at(0).state, DeliveryState::kPurged);
}

TEST_F(JournalTest, ExpiresOnlyWhatHasEnded) {
  options_.events_kept_max = 2;
  reopen();
  const TriggerId a = intern("a");
  append("waiting", {a});
  const Sequence dead = append("dead", {a});
  ASSERT_TRUE(record({.sequence = dead, .trigger = a, .state = DeliveryState::kDeadLettered}));
  const Sequence done = append("done", {a});
  ASSERT_TRUE(record({.sequence = done, .trigger = a}));
  for (int i = 0; i < 4; ++i) append("new" + std::to_string(i), {});
  EXPECT_EQ(await(journal_->expire()).value(), 3);  // done, new0, new1
  reopen();
  EXPECT_FALSE(journal_->show("done"));
  EXPECT_TRUE(journal_->show("waiting"));
  EXPECT_TRUE(journal_->show("dead"));
  EXPECT_TRUE(journal_->show("new2"));
  EXPECT_EQ(await(journal_->expire()).value(), 0);
  clock_.advance(24h * 8);
  // new2 is too old now; the newest stays.
  EXPECT_EQ(await(journal_->expire()).value() + await(journal_->expire()).value(), 1);
}

TEST_F(JournalTest, SaysThatItsFileIsDamaged) {
  append("1", {});
  close();
  const auto load_after = [&](const char* damage) {
    auto database = sqlite::Database::open(path_, sqlite::OpenMode::kReadWrite).value();
    EXPECT_TRUE(database.execute(damage));
    sqlite::Writer writer(std::move(database));
    Journal journal(loop_, writer,
                    sqlite::Database::open(path_, sqlite::OpenMode::kReadOnly).value(), clock_, {});
    const Status loaded = journal.load();
    loop_.run_blocking(journal.stop());
    return loaded;
  };
  EXPECT_TRUE(load_after("UPDATE events_log SET received_ms=9223372036854775807"));
  EXPECT_EQ(load_after("UPDATE events_log SET seq=9223372036854775807").error().code,
            Code::kCorrupt);
  EXPECT_FALSE(load_after("DROP TABLE events_log"));
  std::filesystem::remove(path_);
  open();
}

TEST_F(JournalTest, ClampsTimesThatNoClockShows) {
  const auto far = from_millis(std::numeric_limits<std::int64_t>::max());
  EXPECT_GT(far, from_millis(1'700'000'000'000));
  EXPECT_LT(from_millis(std::numeric_limits<std::int64_t>::min()), from_millis(0));
}

TEST_F(JournalTest, ListsByAttributes) {
  append("1", {});
  ASSERT_TRUE(await(journal_->append({{sample("2", "other"), {}}})));
  append("3", {});
  EXPECT_EQ(journal_->list({})->size(), 3U);
  EXPECT_EQ(journal_->list({})->front().entry->event.id, "3");
  EXPECT_EQ(journal_->list({.type = "other"})->size(), 1U);
  EXPECT_EQ(journal_->list({.ns = "elsewhere"})->size(), 0U);
  EXPECT_EQ(journal_->list({.source = "/tests", .limit = 2})->size(), 2U);
  EXPECT_EQ(journal_->show("nothing").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace hearth::journal
