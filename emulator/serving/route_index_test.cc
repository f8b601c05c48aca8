#include "emulator/serving/route_index.h"

#include <gtest/gtest.h>

namespace hearth::serving {
namespace {

using resource::ObjectKey;
using Routes = std::set<ObjectKey>;

TEST(RouteIndex, FindsTheRoutesOfARevisionInItsNamespace) {
  RouteIndex index;
  index.set({"a", "one"}, {"v1", "v2"});
  index.set({"a", "two"}, {"v2"});
  index.set({"b", "one"}, {"v1"});
  EXPECT_EQ(index.routes_of({"a", "v1"}), (Routes{{"a", "one"}}));
  EXPECT_EQ(index.routes_of({"a", "v2"}), (Routes{{"a", "one"}, {"a", "two"}}));
  EXPECT_EQ(index.routes_of({"b", "v1"}), (Routes{{"b", "one"}}));
  EXPECT_EQ(index.routes_of({"b", "v2"}), Routes{});
}

TEST(RouteIndex, ForgetsWhatARouteNamesNoLonger) {
  RouteIndex index;
  index.set({"a", "one"}, {"v1", "v2"});
  index.set({"a", "one"}, {"v2", "v3"});
  EXPECT_EQ(index.routes_of({"a", "v1"}), Routes{});
  EXPECT_EQ(index.routes_of({"a", "v3"}), (Routes{{"a", "one"}}));
  index.set({"a", "one"}, {});
  EXPECT_EQ(index.routes_of({"a", "v2"}), Routes{});
}

TEST(RouteIndex, FindsTheFollowersOfAConfigurationOfAnyName) {
  RouteIndex index;
  index.set({"a", "web"}, {"other"});
  index.set({"a", "other"}, {"other"});
  EXPECT_EQ(index.routes_of({"a", "other"}), (Routes{{"a", "web"}, {"a", "other"}}));
  EXPECT_EQ(index.routes_of({"a", "web"}), Routes{});
}

}  // namespace
}  // namespace hearth::serving
