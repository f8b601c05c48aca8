#include <filesystem>

#include <gtest/gtest.h>

#include "platform/async/loop.h"
#include "platform/base/random_id.h"
#include "platform/sqlite/writer.h"

namespace hearth::sqlite {
namespace {

class SqliteTest : public testing::Test {
 public:
  SqliteTest() : path_(testing::TempDir() + "sqlite-" + base::random_hex(6)) {}
  ~SqliteTest() override {
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }

 protected:
  std::string path_;
};

constexpr std::string_view kSteps[] = {"CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);",
                                       "ALTER TABLE t ADD COLUMN c TEXT;"};

Task<void> insert(Writer& writer, std::int64_t key, bool fail_after, Result<int>& out) {
  out = co_await writer.write<int>([=](Database& database) -> Result<int> {
    HEARTH_CHECK_OK(database.prepare("INSERT INTO t(a,b) VALUES(?,?)").bind(key).bind("x").run());
    if (fail_after) return fail(Code::kInvalid, "no");
    return 1;
  });
}

TEST_F(SqliteTest, MigratesStepByStepAndRefusesNewerFiles) {
  auto database = Database::open(path_, OpenMode::kReadWrite).value();
  EXPECT_TRUE(migrate(database, "test", std::span(kSteps).first(1)));
  EXPECT_TRUE(migrate(database, "test", kSteps));
  EXPECT_TRUE(migrate(database, "other", std::span(kSteps).first(0)));
  const Status refused = migrate(database, "test", std::span(kSteps).first(1));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnsupported);
}

TEST_F(SqliteTest, AStatementOnATableThatIsLostFails) {
  auto database = Database::open(path_, OpenMode::kReadWrite).value();
  const auto found = database.prepare("SELECT a FROM lost WHERE a=?").bind(1).step();
  ASSERT_FALSE(found);
  EXPECT_TRUE(found.error().message.contains("no such table: lost")) << found.error().message;
}

TEST_F(SqliteTest, AFailedWorkIsRolledBackAlone) {
  auto database = Database::open(path_, OpenMode::kReadWrite).value();
  ASSERT_TRUE(migrate(database, "test", kSteps));
  async::Loop loop("test");
  loop.start();
  {
    Writer writer(std::move(database));
    Result<int> a = 0, b = 0, c = 0;
    loop.run_blocking(insert(writer, 1, false, a));
    loop.run_blocking(insert(writer, 2, true, b));
    loop.run_blocking(insert(writer, 1, false, c));
    EXPECT_TRUE(a);
    EXPECT_EQ(b.error().code, Code::kInvalid);
    EXPECT_EQ(c.error().code, Code::kAlreadyExists);
  }
  auto again = Database::open(path_, OpenMode::kReadOnly).value();
  auto statement = again.prepare("SELECT count(*) FROM t");
  ASSERT_TRUE(statement.step().value());
  EXPECT_EQ(statement.integer(0), 1);
}

}  // namespace
}  // namespace hearth::sqlite
