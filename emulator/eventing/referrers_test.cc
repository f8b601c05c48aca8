#include "emulator/eventing/referrers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::eventing {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Referrers, KnowsAllThatNameAnObjectAndNoOther) {
  Referrers referrers;
  referrers.put({"demo", "first"}, {{"demo", "sink"}, {"demo", "letters"}});
  referrers.put({"demo", "second"}, {{"demo", "sink"}});
  referrers.put({"other", "first"}, {{"other", "sink"}});
  EXPECT_THAT(referrers.of({"demo", "sink"}), ElementsAre(resource::ObjectKey{"demo", "first"},
                                                          resource::ObjectKey{"demo", "second"}));
  EXPECT_THAT(referrers.of({"demo", "letters"}), ElementsAre(resource::ObjectKey{"demo", "first"}));
  EXPECT_THAT(referrers.of({"demo", "sinks"}), IsEmpty());
}

TEST(Referrers, WhatIsNamedAnewReplacesWhatWasNamed) {
  Referrers referrers;
  referrers.put({"demo", "first"}, {{"demo", "old"}});
  referrers.put({"demo", "first"}, {{"demo", "new"}});
  EXPECT_THAT(referrers.of({"demo", "old"}), IsEmpty());
  EXPECT_THAT(referrers.of({"demo", "new"}), ElementsAre(resource::ObjectKey{"demo", "first"}));
  referrers.erase({"demo", "first"});
  EXPECT_THAT(referrers.of({"demo", "new"}), IsEmpty());
}

}  // namespace
}  // namespace hearth::eventing
