#include "emulator/store/parsed_objects.h"

#include <gtest/gtest.h>

namespace hearth::store {
namespace {

const RowKey kRow{"", "configmaps", {"demo", "a"}};

resource::ObjectPtr version(int number) { return std::make_shared<const Json>(Json(number)); }

TEST(ParsedObjects, GivesTheNewestVersionAsLongAsSomebodyHoldsIt) {
  ParsedObjects parsed;
  const auto first = version(1);
  auto second = version(2);
  parsed.put(kRow, 1, first);
  parsed.put(kRow, 2, second);
  EXPECT_EQ(parsed.find(kRow), second);
  second.reset();
  EXPECT_EQ(parsed.find(kRow), nullptr);
}

TEST(ParsedObjects, AReadThatWasAheadIsNotTakenBackByTheChangesBefore) {
  ParsedObjects parsed;
  const auto read_ahead = version(3);
  parsed.put(kRow, 3, read_ahead);
  parsed.put(kRow, 2, version(2));
  parsed.erase(kRow, 2);  // it was deleted and made anew
  EXPECT_EQ(parsed.find(kRow), read_ahead);
  parsed.erase(kRow, 4);
  EXPECT_EQ(parsed.find(kRow), nullptr);
}

TEST(ParsedObjects, KeepsWhatIsHeldAmongThousandsThatAreNot) {
  ParsedObjects parsed;
  const auto held = version(1);
  parsed.put(kRow, 1, held);
  for (int i = 0; i < 5'000; ++i) {
    parsed.put({"", "configmaps", {"demo", "released-" + std::to_string(i)}}, 1, version(i));
  }
  EXPECT_EQ(parsed.find(kRow), held);
}

}  // namespace
}  // namespace hearth::store
