// Journals on a damaged disk: the input overwrites bytes of a small valid database, or (the last
// byte's top bit) of the write-ahead log that a killed daemon leaves (u16 place, u8 count, the
// bytes, again and again; the first byte cuts the file short). It loads and works on, or says what
// is wrong.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>

#include <sqlite3.h>
#include <stdlib.h>

#include "emulator/journal/journal.h"
#include "platform/async/loop.h"
#include "platform/base/file.h"
#include "tests/fuzz/fuzz.h"

namespace hearth {
namespace {

using fuzz::require;
namespace fs = std::filesystem;

template <typename T>
Task<void> keep(Task<T> task, std::optional<T>& out) {
  out = co_await std::move(task);
}

template <typename T>
void check(const Result<T>& result) {
  if (!result) fuzz::require_reason(result.error());
}

journal::EntryPtr sample(std::string id) {
  auto entry = std::make_shared<journal::Entry>();
  entry->ns = "default";
  entry->broker = "main";
  entry->received = base::WallTime{std::chrono::seconds(1'700'000'000)};
  entry->event.id = std::move(id);
  entry->event.source = "/fuzz";
  entry->event.type = "t";
  entry->event.extensions = {{"color", "red"}};
  entry->event.data = std::string(700, 'd');  // more than a page
  entry->headers = {{"traceparent", "00-1-2-01"}};
  return entry;
}

class DamagedDisk {
 public:
  DamagedDisk() {
    std::string name = (fs::temp_directory_path() / "hearth-fuzz-XXXXXX").string();
    require(::mkdtemp(name.data()) != nullptr, "a temporary folder");
    folder_ = name;
    loop_.start();
    create_small_pages();
    {
      // The log stays, and all that was written in it, while somebody else has the database open.
      const Connection other = open_database();
      run(true);
      before_log_ = base::read_file(path()).value();
      log_ = base::read_file(path() + "-wal").value();
    }
    valid_ = base::read_file(path()).value();
  }
  ~DamagedDisk() {
    std::error_code error;
    fs::remove_all(folder_, error);
  }
  DamagedDisk(const DamagedDisk&) = delete;
  DamagedDisk& operator=(const DamagedDisk&) = delete;

  void load(std::string_view damage) {
    const bool in_log = !damage.empty() && (static_cast<unsigned char>(damage.back()) & 0x80U) != 0;
    std::string bytes = in_log ? log_ : valid_;
    bytes.resize(bytes.size() - fuzz::take_choice(damage, 16) * bytes.size() / 16);
    while (damage.size() > 3 && !bytes.empty()) {
      const auto at = [&](std::size_t i) { return static_cast<unsigned char>(damage[i]); };
      const std::size_t place = (at(0) | static_cast<unsigned>(at(1)) << 8U) % bytes.size();
      const std::size_t count =
          std::min({at(2) % 16UL + 1, damage.size() - 3, bytes.size() - place});
      std::copy_n(damage.begin() + 3, count, bytes.begin() + static_cast<std::ptrdiff_t>(place));
      damage.remove_prefix(3 + count);
    }
    for (const char* suffix : {"", "-wal", "-shm"}) fs::remove(path() + suffix);
    std::ofstream(path(), std::ios::binary) << (in_log ? before_log_ : bytes);
    if (in_log) std::ofstream(path() + "-wal", std::ios::binary) << bytes;
    run(false);
  }

 private:
  std::string path() const { return (folder_ / "journal.db").string(); }

  using Connection = std::unique_ptr<sqlite3, int (*)(sqlite3*)>;

  Connection open_database() {
    sqlite3* raw = nullptr;
    require(sqlite3_open(path().c_str(), &raw) == SQLITE_OK, "a database");
    Connection out(raw, sqlite3_close);
    require(sqlite3_exec(raw, "PRAGMA journal_mode=WAL; SELECT * FROM sqlite_schema", nullptr,
                         nullptr, nullptr) == SQLITE_OK,
            "a database that can be read");
    return out;
  }

  // All tables in few bytes, so that damage hits.
  void create_small_pages() {
    sqlite3* raw = nullptr;
    require(sqlite3_open(path().c_str(), &raw) == SQLITE_OK, "a new database");
    const Connection owner(raw, sqlite3_close);
    require(sqlite3_exec(raw, "PRAGMA page_size=512; CREATE TABLE other(x)", nullptr, nullptr,
                         nullptr) == SQLITE_OK,
            "small pages");
  }

  template <typename T>
  T await(Task<T> task) {
    std::optional<T> out;
    loop_.run_blocking(keep(std::move(task), out));
    return std::move(*out);
  }

  // As the program starts. `intact`: everything has to work.
  void run(bool intact) {
    auto database = sqlite::Database::open(path(), sqlite::OpenMode::kReadWrite);
    check(database);
    if (!database) return require(!intact, "the valid database opens");
    const Status migrated = sqlite::migrate(*database, journal::kRoom, journal::kMigrations);
    check(migrated);
    if (!migrated) return require(!intact, "the valid database migrates");
    auto reader = sqlite::Database::open(path(), sqlite::OpenMode::kReadOnly);
    check(reader);
    if (!reader) return require(!intact, "the valid database opens twice");
    sqlite::Writer writer(std::move(*database));
    journal::Journal journal(loop_, writer, std::move(*reader), clock_, {});
    const Status loaded = journal.load();
    check(loaded);
    require(loaded || !intact, "the valid database loads");
    if (loaded) use(journal, intact);
    loop_.run_blocking(journal.stop());
  }

  void use(journal::Journal& journal, bool intact) {
    const auto trigger = await(journal.intern({"uid", "default", "trigger"}));
    check(trigger);
    read(journal, trigger.value_or(1));
    for (const char* id : {"1", "2", "3"}) {
      const auto sequence = await(journal.append({{sample(id), {trigger.value_or(1)}}}));
      check(sequence);
      require(sequence || !intact, "the valid database takes events");
      if (!sequence || *id == '3') continue;
      check(await(journal.record({.sequence = *sequence,
                                  .trigger = trigger.value_or(1),
                                  .state = journal::DeliveryState::kDeadLettered,
                                  .attempts = 3,
                                  .code = 503,
                                  .reason = "busy",
                                  .has_sink = true})));
    }
    check(await(journal.expire()));
    check(await(journal.trim_dead_letters(1)));
  }

  static void read(journal::Journal& journal, journal::TriggerId trigger) {
    const auto pending = journal.pending(trigger, 0, 10);
    check(pending);
    for (const journal::Pending& item : pending.value_or(std::vector<journal::Pending>())) {
      check(journal.read(item.sequence));
    }
    check(journal.unfinished_triggers());
    check(journal.list({}));
    check(journal.list({.type = "t", .limit = 2}));
    check(journal.show("1"));
    check(journal.dead_letters({}));
    check(journal.dead_letter(1));
    check(journal.due_for_sink(trigger));
  }

  fs::path folder_;
  std::string valid_;
  std::string before_log_;
  std::string log_;
  base::VirtualClock clock_;
  async::Loop loop_{"fuzz"};
};

}  // namespace
}  // namespace hearth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static hearth::DamagedDisk disk;
  disk.load(hearth::fuzz::view(data, size));
  return 0;
}
