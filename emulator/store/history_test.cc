#include "emulator/store/history.h"

#include <gmock/gmock.h>

#include "emulator/store/testing/store_fixture.h"

namespace hearth::store {
namespace {

using namespace resource;
using testing::ElementsAre;

class HistoryTest : public StoreFixture {
 protected:
  void put(const std::string& name, const std::string& value, const std::string& label = "") {
    Json object = config_map(name, value);
    if (!label.empty()) object["metadata"]["labels"]["colour"] = label;
    if (!wait(store_->create(kConfigMaps, object, {}))) {
      ASSERT_TRUE(wait(store_->update(kConfigMaps, object, {})));
    }
  }
  void remove(const std::string& name) {
    ASSERT_TRUE(wait(store_->remove(kConfigMaps, {"demo", name}, {})));
  }
  static std::vector<std::string> told(const std::vector<ObjectPtr>& items) {
    std::vector<std::string> out;
    out.reserve(items.size());
    for (const ObjectPtr& item : items) {
      out.push_back(name_of(*item) + "=" + base::string_at(*item, {"data", "key"}));
    }
    return out;
  }
  // "+a" began to match, "~a" changed, "-a" went or ceased to match.
  std::vector<std::string> watched(std::uint64_t from, const std::string& labels) {
    auto watch = wait(store_->watch(
        kConfigMaps, {.ns = "demo", .label_selector = labels, .resource_version = from}));
    put("end", "", "red");
    std::vector<std::string> out;
    run([](Watch& events, std::vector<std::string>& seen) -> Task<void> {
      while (true) {
        const auto event = co_await events.next();
        if (!event) co_return;
        const std::string name = name_of(*event->object);
        if (name == "end") co_return;
        EXPECT_EQ(resource_version_of(*event->object), event->resource_version);
        const char* mark = event->type == WatchEvent::Type::kAdded      ? "+"
                           : event->type == WatchEvent::Type::kModified ? "~"
                                                                        : "-";
        seen.push_back(mark + name);
      }
    }(**watch, out));
    return out;
  }
};

TEST_F(HistoryTest, AllPagesShowTheVersionOfTheFirst) {
  for (const char* name : {"a", "b", "c", "d"}) put(name, "old");
  const auto first = wait(store_->list(kConfigMaps, {.ns = "demo", .limit = 2}));
  EXPECT_THAT(told(first->items), ElementsAre("a=old", "b=old"));
  EXPECT_EQ(first->remaining, 2U);
  put("c", "new");
  put("cc", "new");
  remove("d");
  const auto second = wait(store_->list(
      kConfigMaps, {.ns = "demo", .limit = 2, .continue_token = first->continue_token}));
  EXPECT_THAT(told(second->items), ElementsAre("c=old", "d=old"));
  EXPECT_EQ(second->resource_version, first->resource_version);
  EXPECT_TRUE(second->continue_token.empty());
  EXPECT_THAT(told(wait(store_->list(kConfigMaps, {.ns = "demo"}))->items),
              ElementsAre("a=old", "b=old", "c=new", "cc=new"));
}

TEST_F(HistoryTest, AListShowsAnExactVersion) {
  put("a", "1");
  const auto then = wait(store_->list(kConfigMaps, {.ns = "demo"}))->resource_version;
  put("a", "2");
  remove("a");
  EXPECT_THAT(told(wait(store_->list(kConfigMaps, {.ns = "demo", .exact_version = then}))->items),
              ElementsAre("a=1"));
}

TEST_F(HistoryTest, PagesOfAForgottenVersionAreExpired) {
  put("a", "0");
  put("b", "0");
  const auto first = wait(store_->list(kConfigMaps, {.ns = "demo", .limit = 1}));
  put("a", "1");
  put("a", "2");
  const std::uint64_t newest = wait(store_->list(kConfigMaps, {}))->resource_version;
  ASSERT_TRUE(wait(writer_->write<bool>([newest](sqlite::Database& database) -> Result<bool> {
    HEARTH_CHECK_OK(prune_log(database, newest));
    return true;
  })));
  const auto late = wait(store_->list(
      kConfigMaps, {.ns = "demo", .limit = 1, .continue_token = first->continue_token}));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Code::kExpired);
  const auto watch =
      wait(store_->watch(kConfigMaps, {.ns = "demo", .resource_version = first->resource_version}));
  ASSERT_FALSE(watch);
  EXPECT_EQ(watch.error().code, Code::kExpired);
}

TEST_F(HistoryTest, AWatchFromAVersionTellsWhatBeganAndCeasedToMatch) {
  put("stays", "1", "red");
  put("leaves", "1", "red");
  put("joins", "1", "blue");
  put("never", "1", "blue");
  put("dies", "1", "red");
  const auto from = wait(store_->list(kConfigMaps, {}))->resource_version;
  put("stays", "2", "red");
  put("leaves", "2", "blue");
  put("joins", "2", "red");
  put("never", "2", "blue");
  remove("never");
  remove("dies");
  put("fresh", "1", "red");
  EXPECT_THAT(watched(from, "colour=red"),
              ElementsAre("~stays", "-leaves", "+joins", "-dies", "+fresh"));
}

TEST_F(HistoryTest, ADeletionShowsWhatLastMatched) {
  put("a", "before", "red");
  const auto from = wait(store_->list(kConfigMaps, {}))->resource_version;
  put("a", "after", "blue");
  auto watch = wait(store_->watch(
      kConfigMaps, {.ns = "demo", .label_selector = "colour=red", .resource_version = from}));
  const auto event = wait((*watch)->next());
  EXPECT_EQ(event->type, WatchEvent::Type::kDeleted);
  EXPECT_EQ(base::string_at(*event->object, {"data", "key"}), "before");
  EXPECT_GT(resource_version_of(*event->object), from);
}

TEST_F(HistoryTest, AQuietWatchKnowsTheVersionThatItCovers) {
  put("a", "1");
  auto watch = wait(store_->watch(kSecrets, {.ns = "demo"}));
  EXPECT_EQ(wait((*watch)->next())->type, WatchEvent::Type::kBookmark);
  put("a", "2");
  const auto now = wait(store_->list(kConfigMaps, {}))->resource_version;
  EXPECT_EQ((*watch)->version(), now);
}

}  // namespace
}  // namespace hearth::store
