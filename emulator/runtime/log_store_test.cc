#include "emulator/runtime/log_store.h"

#include <gtest/gtest.h>

#include "platform/async/loop.h"
#include "platform/base/random_id.h"

namespace hearth::runtime {
namespace {

class LogStoreTest : public testing::Test {
 public:
  LogStoreTest() : root_(testing::TempDir() + "logs-" + base::random_hex(6)) {
    std::filesystem::create_directory(root_);
    loop_.start();
  }
  ~LogStoreTest() override { std::filesystem::remove_all(root_); }

 protected:
  void append(const std::string& text) {
    loop_.run_blocking([](LogStore& logs, std::string bytes) -> Task<void> {
      logs.append("a", bytes);
      co_return;
    }(logs_, text));
  }

  std::string read(ReadLogOptions options) {
    std::string out;
    loop_.run_blocking(read_into(options, out));
    return out;
  }
  Task<void> read_into(ReadLogOptions options, std::string& out) {
    status_ = co_await logs_.read("a", options, [&out](std::string_view piece) {
      out += piece;
      return done();
    });
  }
  static Task<Status> done() { co_return Status(); }

  std::string root_;
  base::VirtualClock clock_;
  async::Loop loop_{"test"};
  LogStore logs_{loop_, root_, clock_};
  Status status_;
};

TEST_F(LogStoreTest, KeepsLinesWhateverThePieces) {
  append("one\ntw");
  append("o\nthree\n");
  EXPECT_EQ(read({}), "one\ntwo\nthree\n");
  EXPECT_EQ(read({.tail_lines = 1}), "three\n");
  EXPECT_EQ(logs_.tail("a", 2), "two\nthree\n");
}

TEST_F(LogStoreTest, ShowsTimesAndSelectsByThem) {
  append("old\n");
  clock_.advance(std::chrono::hours(1));
  append("new\n");
  EXPECT_EQ(read({.since_seconds = 60}), "new\n");
  EXPECT_EQ(read({.timestamps = true, .tail_lines = 1}).substr(0, 2), "20");
}

TEST_F(LogStoreTest, BoundsALineWithoutEndAndTheFile) {
  for (int i = 0; i < 100; ++i) append(std::string(100'000, 'x'));
  append("\nlast\n");
  std::uintmax_t bytes = 0;
  for (const auto& file : std::filesystem::directory_iterator(root_)) bytes += file.file_size();
  EXPECT_LT(bytes, 10U * 1024 * 1024);
  EXPECT_EQ(read({.tail_lines = 1}), "last\n");
}

TEST_F(LogStoreTest, TellsAnUnknownLog) {
  (void)read({});
  EXPECT_EQ(status_.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace hearth::runtime
