#include "emulator/serving/traffic.h"

#include <map>

#include <gtest/gtest.h>

namespace hearth::serving {
namespace {

constexpr RevisionState kReady = RevisionState::kReady;

struct World {
  std::map<std::string, RevisionState> revisions;
  std::map<std::string, std::string> latest;
  std::string port;
  std::map<std::string, std::string> created = {};

  static std::string at(const std::map<std::string, std::string>& names, const std::string& name) {
    const auto it = names.find(name);
    return it == names.end() ? std::string() : it->second;
  }

  TrafficView view() const {
    return {.state_of =
                [this](const std::string& name) {
                  const auto it = revisions.find(name);
                  return it == revisions.end() ? RevisionState::kMissing : it->second;
                },
            .latest_ready = [this](const std::string& name) { return at(latest, name); },
            .latest_created = [this](const std::string& name) { return at(created, name); },
            .url_of = [this](const std::string& tag) { return "http://" + tag + port; }};
  }
};

Json route(Json wanted, Json served = Json()) {
  Json object{{"metadata", {{"name", "hello"}}}, {"spec", {{"traffic", std::move(wanted)}}}};
  if (!served.is_null()) object["status"]["traffic"] = std::move(served);
  return object;
}

const Json kCanary = {{{"revisionName", "hello-v1"}, {"percent", 80}},
                      {{"configurationName", "hello"}, {"percent", 20}, {"tag", "next"}}};
const Json kServed =
    Json::array({{{"revisionName", "hello-v0"}, {"percent", 100}, {"latestRevision", true}}});

TEST(Traffic, NamesTheRevisionsOfItsTargets) {
  const World world{{{"hello-v1", kReady}, {"hello-v2", kReady}}, {{"hello", "hello-v2"}}, ""};
  const Assignment out = assign_traffic(route(kCanary, kServed), world.view());
  EXPECT_EQ(out.condition.status, "True");
  EXPECT_TRUE(out.awaited.empty());
  EXPECT_EQ(out.traffic, (Json{{{"revisionName", "hello-v1"}, {"percent", 80}},
                               {{"revisionName", "hello-v2"},
                                {"percent", 20},
                                {"tag", "next"},
                                {"latestRevision", true},
                                {"url", "http://next"}}}));
}

TEST(Traffic, KeepsWhatItServedWhileARevisionIsMissing) {
  World world{{{"hello-v0", kReady}, {"hello-v2", kReady}}, {{"hello", "hello-v2"}}, ""};
  const Json object = route(kCanary, kServed);
  const Assignment out = assign_traffic(object, world.view());
  EXPECT_EQ(out.condition.status, "False");
  EXPECT_EQ(out.condition.reason, "RevisionMissing");
  EXPECT_EQ(out.condition.message, "Revision \"hello-v1\" referenced in traffic not found.");
  EXPECT_EQ(out.traffic, kServed);
  EXPECT_EQ(out.awaited, (std::set<std::string>{"hello-v1"}));

  world.revisions["hello-v1"] = RevisionState::kNotReady;
  EXPECT_EQ(assign_traffic(object, world.view()).condition.status, "Unknown");
  EXPECT_EQ(assign_traffic(object, world.view()).traffic, kServed);
  world.revisions["hello-v1"] = RevisionState::kFailed;
  EXPECT_EQ(assign_traffic(object, world.view()).condition.status, "False");
  EXPECT_EQ(assign_traffic(object, world.view()).traffic, kServed);
  world.revisions["hello-v1"] = kReady;
  EXPECT_EQ(assign_traffic(object, world.view()).traffic[0]["revisionName"], "hello-v1");
}

TEST(Traffic, KeepsWhatItServedWhileAConfigurationHasNoRevision) {
  const World world{{{"hello-v0", kReady}, {"hello-v1", kReady}}, {}, ""};
  const Assignment out = assign_traffic(route(kCanary, kServed), world.view());
  EXPECT_EQ(out.condition.status, "Unknown");
  EXPECT_EQ(out.traffic, kServed);
  EXPECT_TRUE(out.awaited.empty());  // the Configuration tells by itself
}

TEST(Traffic, ServesNothingBeforeItsFirstGoodAssignment) {
  const World world{{}, {{"hello", "hello-v2"}}, ""};
  EXPECT_EQ(assign_traffic(route(kCanary), world.view()).traffic, Json::array());
  EXPECT_EQ(assign_traffic(route(Json::array()), world.view()).condition.status, "Unknown");
}

TEST(Traffic, LosesWhatWasDeletedAndKeepsTheRest) {
  const World world{{{"b", kReady}}, {}, ""};
  const Json split = {{{"revisionName", "a"}, {"percent", 50}},
                      {{"revisionName", "b"}, {"percent", 50}}};
  const Assignment out = assign_traffic(route(split, split), world.view());
  EXPECT_EQ(out.condition.status, "False");
  EXPECT_EQ(out.condition.reason, "RevisionMissing");
  EXPECT_EQ(out.condition.message, "Revision \"a\" referenced in traffic not found.");
  EXPECT_EQ(out.traffic, Json::array({split[1]}));
  EXPECT_EQ(out.awaited, (std::set<std::string>{"a"}));
}

TEST(Traffic, TellsWhenTheLatestRevisionWasDeleted) {
  const Json latest = Json::array({{{"configurationName", "hello"}, {"percent", 100}}});
  World world{{}, {{"hello", "hello-v1"}}, ""};
  world.created = {{"hello", "hello-v2"}};
  const Assignment out = assign_traffic(route(latest), world.view());
  EXPECT_EQ(out.condition.status, "False");
  EXPECT_EQ(out.condition.reason, "RevisionMissing");
  EXPECT_EQ(out.traffic, Json::array());
  // Its Configuration makes the one that it made last again.
  world.created = {{"hello", "hello-v1"}};
  EXPECT_EQ(assign_traffic(route(latest), world.view()).condition.status, "Unknown");
  EXPECT_EQ(assign_traffic(route(latest), world.view()).awaited,
            (std::set<std::string>{"hello-v1"}));
  world.revisions["hello-v1"] = RevisionState::kNotReady;
  EXPECT_EQ(assign_traffic(route(latest), world.view()).condition.status, "True");
}

TEST(Traffic, TellsOfAMissingRevisionBeforeOneThatStarts) {
  const World world{{{"b", RevisionState::kNotReady}}, {}, ""};
  const Assignment out = assign_traffic(
      route({{{"revisionName", "b"}, {"percent", 50}}, {{"revisionName", "c"}, {"percent", 50}}}),
      world.view());
  EXPECT_EQ(out.condition.status, "False");
  EXPECT_EQ(out.awaited, (std::set<std::string>{"b", "c"}));
}

TEST(Traffic, KeepsTagsAtTheAddressOfToday) {
  const World world{{{"hello-v0", kReady}}, {}, ":81"};
  const Json served = Json::array(
      {{{"revisionName", "hello-v0"}, {"percent", 100}, {"tag", "old"}, {"url", "http://old:80"}}});
  EXPECT_EQ(assign_traffic(route(kCanary, served), world.view()).traffic[0]["url"],
            "http://old:81");
}

TEST(Traffic, HoldsOnToRevisionsThatAreNamedOrServed) {
  const World world{{}, {{"hello", "hello-v2"}}, ""};
  EXPECT_EQ(revisions_of(route(kCanary, kServed), world.view()),
            (std::set<std::string>{"hello-v0", "hello-v1", "hello-v2"}));
}

TEST(Traffic, TellsWhichConfigurationsItFollows) {
  const Json wanted = {{{"configurationName", "other"}, {"percent", 50}},
                       {{"latestRevision", true}, {"percent", 50}},
                       {{"revisionName", "hello-v1"}, {"tag", "old"}}};
  EXPECT_EQ(configurations_of(route(wanted)), (std::set<std::string>{"hello", "other"}));
  EXPECT_EQ(configurations_of(route(Json::array({wanted[2]}))), std::set<std::string>{});
}

TEST(Traffic, GivesALoneTargetWithoutPercentAll) {
  World world{{{"b", kReady}}, {}, ""};
  const Json lone = Json::array({Json{{"revisionName", "b"}}});
  const Json all = Json::array({{{"revisionName", "b"}, {"percent", 100}}});
  EXPECT_EQ(assign_traffic(route(lone), world.view()).traffic, all);
  // As it was stored before the percentage was written.
  world.revisions["b"] = RevisionState::kFailed;
  EXPECT_EQ(assign_traffic(route(lone, lone), world.view()).traffic, all);
}

TEST(Traffic, GivesATaggedTargetNothingWhenTheOthersWereDeleted) {
  World world{{{"a", kReady}, {"b", kReady}}, {}, ""};
  const Json wanted = {{{"revisionName", "a"}, {"percent", 100}},
                       {{"revisionName", "b"}, {"tag", "t"}}};
  const Json served = assign_traffic(route(wanted), world.view()).traffic;
  ASSERT_EQ(served.size(), 2U);
  EXPECT_FALSE(served[1].contains("percent"));
  world.revisions.erase("a");
  Json kept = assign_traffic(route(wanted, served), world.view()).traffic;
  EXPECT_EQ(kept, Json::array({served[1]}));
  // Also the next time, when it is all that the status has.
  EXPECT_EQ(assign_traffic(route(wanted, kept), world.view()).traffic, kept);
}

TEST(Traffic, BearsObjectsOfAnyShape) {
  const World world;
  for (const Json& junk :
       {Json(), Json(1), Json("x"), Json::array({1, nullptr, {{"tag", 5}}}), Json{{"a", "b"}}}) {
    const Assignment out = assign_traffic(route(junk, junk), world.view());
    EXPECT_NE(out.condition.status, "True");
    (void)revisions_of(route(junk, junk), world.view());
    (void)configurations_of(route(junk, junk));
  }
}

}  // namespace
}  // namespace hearth::serving
