// The recorder of platform/resource, on the store that keeps its Events.
#include "platform/resource/event_recorder.h"

#include <gmock/gmock.h>

#include "emulator/store/testing/store_fixture.h"

namespace hearth::store {
namespace {

using namespace resource;

class EventRecorderTest : public StoreFixture {
 public:
  EventRecorderTest() {
    subject_ = *wait(store_->create(kConfigMaps, config_map("subject", "1"), {}));
    run([](EventRecorderTest& test) -> Task<void> {
      test.recorder_ = std::make_unique<EventRecorder>(test.loop_, *test.store_, test.clock_);
      test.recorder_->start();
      co_return;
    }(*this));
  }
  ~EventRecorderTest() override {
    run([](EventRecorderTest& test) -> Task<void> {
      co_await test.recorder_->stop();
      test.recorder_.reset();
    }(*this));
  }

 protected:
  void record(const std::string& reason, const std::string& message,
              EventType type = EventType::kNormal) {
    run([](EventRecorder& recorder, ObjectPtr subject, EventNote note) -> Task<void> {
      recorder.record(*subject, std::move(note));
      co_return;
    }(*recorder_, subject_, EventNote{type, reason, message, "test"}));
  }
  std::vector<ObjectPtr> events() {
    run(recorder_->flushed());
    return wait(store_->list(kEvents, {.ns = "demo"}))->items;
  }

  ObjectPtr subject_;
  std::unique_ptr<EventRecorder> recorder_;
};

TEST_F(EventRecorderTest, TellsOfTheObject) {
  record("Built", "image x", EventType::kWarning);
  const auto all = events();
  ASSERT_EQ(all.size(), 1U);
  const Json& event = *all[0];
  EXPECT_EQ(event["involvedObject"]["kind"], "ConfigMap");
  EXPECT_EQ(event["involvedObject"]["uid"], uid_of(*subject_));
  EXPECT_EQ(event["type"], "Warning");
  EXPECT_EQ(event["reason"], "Built");
  EXPECT_EQ(event["message"], "image x");
  EXPECT_EQ(event["source"]["component"], "test");
  EXPECT_EQ(event["count"], 1);
}

TEST_F(EventRecorderTest, TheSameAgainRaisesTheCount) {
  record("Failed", "no source");
  const std::string first = base::string_at(*events().at(0), {"firstTimestamp"});
  clock_.advance(std::chrono::seconds(30));
  record("Failed", "no source");
  record("Failed", "no source");
  const auto all = events();
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ((*all[0])["count"], 3);
  EXPECT_EQ((*all[0])["firstTimestamp"], first);
  EXPECT_NE((*all[0])["lastTimestamp"], first);
}

TEST_F(EventRecorderTest, ManyAlikeAreCombined) {
  for (int i = 0; i < 20; ++i) record("Failed", "attempt " + std::to_string(i));
  const auto all = events();
  EXPECT_EQ(all.size(), 11U);
  EXPECT_TRUE(std::ranges::any_of(all, [](const ObjectPtr& event) {
    return base::string_at(*event, {"message"}).starts_with("(combined from similar events): ");
  }));
}

TEST_F(EventRecorderTest, AnObjectThatSaysTooMuchIsSilenced) {
  for (int i = 0; i < 100; ++i) record("Reason" + std::to_string(i), "text");
  EXPECT_EQ(events().size(), 25U);
  clock_.advance(std::chrono::minutes(10));
  record("Later", "text");
  EXPECT_EQ(events().size(), 26U);
}

TEST_F(EventRecorderTest, GoesOnWhenSomeoneRemovedTheEvent) {
  record("Failed", "no source");
  const auto event = events().at(0);
  ASSERT_TRUE(wait(store_->remove(kEvents, key_of(*event), {})));
  record("Failed", "no source");
  EXPECT_EQ(events().size(), 1U);
}

TEST_F(EventRecorderTest, EventsEndAfterAnHourWhoeverMadeThem) {
  Json foreign = new_object(kEvents, {"demo", "foreign"});
  foreign["eventTime"] = base::format_rfc3339(clock_.wall());
  ASSERT_TRUE(wait(store_->create(kEvents, foreign, {})));
  record("Built", "x");
  EXPECT_EQ(events().size(), 2U);
  clock_.advance(std::chrono::minutes(59));
  run(recorder_->expire());
  EXPECT_EQ(events().size(), 2U);
  clock_.advance(std::chrono::minutes(2));
  run(recorder_->expire());
  EXPECT_TRUE(events().empty());
}

TEST_F(EventRecorderTest, LongMessagesAreCut) {
  record("Failed", std::string(5'000, 'x'));
  EXPECT_EQ(base::string_at(*events().at(0), {"message"}).size(), 1'024U);
}

}  // namespace
}  // namespace hearth::store
