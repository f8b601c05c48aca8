// What every resource::Store promises, whichever world it is in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/async/signal.h"
#include "platform/async/task_group.h"
#include "platform/resource/informer.h"
#include "platform/resource/well_known.h"
#include "tests/contract/worlds.h"

namespace hearth::contract {
namespace {

using namespace resource;
using testing::ElementsAre;
using testing::HasSubstr;

class StoreContract : public testing::TestWithParam<World> {
 protected:
  Store& store() { return kubernetes_.store(); }
  template <typename T>
  T wait(Task<T> task) {
    return kubernetes_.wait(std::move(task));
  }

  static Json config_map(const std::string& name, const std::string& value = "1") {
    Json object = new_object(kConfigMaps, {"demo", name});
    object["data"] = {{"key", value}};
    return object;
  }
  static Json labelled(const std::string& name, const std::string& app) {
    Json object = config_map(name);
    object["metadata"]["labels"] = {{"app", app}};
    return object;
  }
  static Json function(const std::string& name) {
    Json object = new_object(kFunctions, {"demo", name});
    object["spec"] = {{"source", {{"type", "inline"}, {"inline", {{"code", "x"}}}}},
                      {"runtime", {{"language", "python"}, {"version", "3.11"}}}};
    return object;
  }
  ObjectPtr created(Type type, Json object) {
    auto out = wait(store().create(type, std::move(object), {}));
    EXPECT_TRUE(out) << (out ? "" : out.error().message);
    return out.value_or(nullptr);
  }
  std::vector<std::string> names(const std::vector<ObjectPtr>& objects) {
    std::vector<std::string> out;
    out.reserve(objects.size());
    for (const ObjectPtr& object : objects) out.push_back(resource::name_of(*object));
    return out;
  }

  Kubernetes kubernetes_{GetParam()};
};

TEST_P(StoreContract, CreatesWithTheServersFields) {
  const ObjectPtr object = created(kConfigMaps, config_map("a"));
  EXPECT_FALSE(uid_of(*object).empty());
  EXPECT_GT(resource_version_of(*object), 0U);
  EXPECT_EQ((*object)["kind"], "ConfigMap");
  EXPECT_EQ((*object)["apiVersion"], "v1");
  EXPECT_EQ(*wait(store().get(kConfigMaps, {"demo", "a"})).value(), *object);
}

TEST_P(StoreContract, RefusesASecondOfTheSameName) {
  created(kConfigMaps, config_map("a"));
  const auto again = wait(store().create(kConfigMaps, config_map("a"), {}));
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  EXPECT_EQ(again.error().message, "configmaps \"a\" already exists");
}

TEST_P(StoreContract, GivesNamesToThoseWhoAskForOne) {
  Json object = config_map("");
  object["metadata"].erase("name");
  object["metadata"]["generateName"] = "made-";
  EXPECT_THAT(name_of(*created(kConfigMaps, object)), testing::StartsWith("made-"));
}

TEST_P(StoreContract, SaysWhatIsNotFound) {
  const auto missing = wait(store().get(kConfigMaps, {"demo", "a"}));
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  EXPECT_EQ(missing.error().message, "configmaps \"a\" not found");
  EXPECT_EQ(wait(store().remove(kConfigMaps, {"demo", "a"}, {})).error().code, Code::kNotFound);
  EXPECT_EQ(wait(store().patch(kConfigMaps, {"demo", "a"}, PatchType::kMerge, Json::object(), {}))
                .error()
                .code,
            Code::kNotFound);
  EXPECT_EQ(wait(store().update(kConfigMaps, config_map("a"), {})).error().code, Code::kNotFound);
  const Type unknown{"none.example", "v1", "things", "Thing"};
  EXPECT_EQ(wait(store().list(unknown, {})).error().code, Code::kNotFound);
}

TEST_P(StoreContract, NamesTheFieldsOfAnInvalidObject) {
  Json object = function("bad");
  object["spec"]["source"]["type"] = "carrier-pigeon";
  const auto refused = wait(store().create(kFunctions, object, {}));
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  ASSERT_FALSE(refused.error().fields.empty());
  EXPECT_EQ(refused.error().fields[0].field, "spec.source.type");
  EXPECT_EQ(wait(store().create(kConfigMaps, config_map("Bad_Name"), {})).error().code,
            Code::kInvalid);
}

TEST_P(StoreContract, StrictValidationRefusesUnknownFieldsAndWarningNamesThem) {
  Json object = function("typo");
  object["spec"]["sourc"] = 1;
  const auto strict =
      wait(store().create(kFunctions, object, {.field_validation = FieldValidation::kStrict}));
  EXPECT_EQ(strict.error().code, Code::kBadRequest);
  EXPECT_THAT(strict.error().message, HasSubstr("unknown field \"spec.sourc\""));
  std::vector<std::string> warnings;
  ASSERT_TRUE(wait(store().create(
      kFunctions, object, {.field_validation = FieldValidation::kWarn, .warnings = &warnings})));
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("unknown field \"spec.sourc\"")));
}

TEST_P(StoreContract, UpdatesOnlyTheCurrentVersion) {
  Json next = *created(kConfigMaps, config_map("a"));
  next["data"]["key"] = "2";
  ASSERT_TRUE(wait(store().update(kConfigMaps, next, {})));
  next["data"]["key"] = "3";
  EXPECT_EQ(wait(store().update(kConfigMaps, next, {})).error().code, Code::kConflict);
  EXPECT_EQ((**wait(store().get(kConfigMaps, {"demo", "a"})))["data"]["key"], "2");
}

TEST_P(StoreContract, AWriteThatChangesNothingKeepsTheVersion) {
  const ObjectPtr first = created(kConfigMaps, config_map("a"));
  const auto again = wait(store().update(kConfigMaps, *first, {}));
  EXPECT_EQ(resource_version_of(**again), resource_version_of(*first));
}

TEST_P(StoreContract, StatusAndSpecAreWrittenApart) {
  Json next = *created(kFunctions, function("hello"));
  next["status"]["phase"] = "Ready";
  next["spec"]["runtime"]["version"] = "9";
  const auto status = wait(store().update(kFunctions, next, {.subresource = Subresource::kStatus}));
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(base::string_at(**status, {"status", "phase"}), "Ready");
  EXPECT_EQ(base::string_at(**status, {"spec", "runtime", "version"}), "3.11");
  EXPECT_EQ(generation_of(**status), 1);
  next = **status;
  next["status"]["phase"] = "Lost";
  next["spec"]["runtime"]["version"] = "3.12";
  const auto spec = wait(store().update(kFunctions, next, {}));
  EXPECT_EQ(base::string_at(**spec, {"status", "phase"}), "Ready");
  EXPECT_EQ(generation_of(**spec), 2);
}

TEST_P(StoreContract, PatchesInThreeFormats) {
  created(kConfigMaps, config_map("a"));
  const ObjectKey key{"demo", "a"};
  const auto merged = wait(store().patch(kConfigMaps, key, PatchType::kMerge,
                                         {{"data", {{"key", nullptr}, {"more", "2"}}}}, {}));
  EXPECT_EQ((**merged)["data"], (Json{{"more", "2"}}));
  const Json add = Json::array({{{"op", "add"}, {"path", "/data/third"}, {"value", "3"}}});
  const auto added = wait(store().patch(kConfigMaps, key, PatchType::kJson, add, {}));
  EXPECT_EQ((**added)["data"], (Json{{"more", "2"}, {"third", "3"}}));
  const auto strategic = wait(
      store().patch(kConfigMaps, key, PatchType::kStrategic, {{"data", {{"more", nullptr}}}}, {}));
  EXPECT_EQ((**strategic)["data"], (Json{{"third", "3"}}));
  const auto status = wait(store().create(kFunctions, function("f"), {}));
  const auto phase = wait(store().patch(kFunctions, {"demo", "f"}, PatchType::kMerge,
                                        {{"status", {{"phase", "Ready"}}}},
                                        {.subresource = Subresource::kStatus}));
  ASSERT_TRUE(phase) << phase.error().message;
  EXPECT_EQ(base::string_at(**phase, {"status", "phase"}), "Ready");
}

TEST_P(StoreContract, ADryRunChecksEverythingAndChangesNothing) {
  ASSERT_TRUE(wait(store().create(kConfigMaps, config_map("a"), {.dry_run = true})));
  EXPECT_EQ(wait(store().get(kConfigMaps, {"demo", "a"})).error().code, Code::kNotFound);
  Json next = *created(kConfigMaps, config_map("a"));
  next["data"]["key"] = "2";
  ASSERT_TRUE(wait(store().update(kConfigMaps, next, {.dry_run = true})));
  ASSERT_TRUE(wait(store().remove(kConfigMaps, {"demo", "a"}, {.dry_run = true})));
  EXPECT_EQ((**wait(store().get(kConfigMaps, {"demo", "a"})))["data"]["key"], "1");
}

TEST_P(StoreContract, RemovesOnlyWhatTheCallerMeans) {
  const ObjectPtr object = created(kConfigMaps, config_map("a"));
  const ObjectKey key{"demo", "a"};
  EXPECT_EQ(wait(store().remove(kConfigMaps, key, {.uid = "another"})).error().code,
            Code::kConflict);
  EXPECT_EQ(wait(store().remove(kConfigMaps, key,
                                {.resource_version = resource_version_of(*object) + 1000}))
                .error()
                .code,
            Code::kConflict);
  const auto removed = wait(
      store().remove(kConfigMaps, key,
                     {.uid = uid_of(*object), .resource_version = resource_version_of(*object)}));
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(removed->gone);
  EXPECT_EQ(uid_of(*removed->object), uid_of(*object));
}

TEST_P(StoreContract, FinalizersHoldAnObjectUntilTheLastIsGone) {
  Json object = config_map("a");
  object["metadata"]["finalizers"] = {"x/y"};
  created(kConfigMaps, object);
  const auto removed = wait(store().remove(kConfigMaps, {"demo", "a"}, {}));
  EXPECT_FALSE(removed->gone);
  EXPECT_TRUE(is_being_deleted(*removed->object));
  Json next = *removed->object;
  remove_finalizer(next, "x/y");
  ASSERT_TRUE(wait(store().update(kConfigMaps, next, {})));
  EXPECT_EQ(wait(store().get(kConfigMaps, {"demo", "a"})).error().code, Code::kNotFound);
}

TEST_P(StoreContract, ListsByNamespaceSelectorAndPage) {
  for (const char* name : {"e", "b", "d", "a", "c"}) created(kConfigMaps, labelled(name, "x"));
  created(kConfigMaps, labelled("f", "y"));
  const auto all = wait(store().list(kConfigMaps, {.ns = "demo"})).value();
  EXPECT_THAT(names(all.items), ElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_GE(all.resource_version, resource_version_of(*all.items[5]));
  EXPECT_EQ((*all.items[0])["kind"], "ConfigMap");
  const auto some = wait(store().list(kConfigMaps, {.label_selector = "app=x"})).value();
  EXPECT_THAT(names(some.items), ElementsAre("a", "b", "c", "d", "e"));
  const auto one = wait(store().list(kConfigMaps, {.field_selector = "metadata.name=d"})).value();
  EXPECT_THAT(names(one.items), ElementsAre("d"));
  EXPECT_TRUE(wait(store().list(kConfigMaps, {.ns = "nowhere"})).value().items.empty());
  const auto first = wait(store().list(kConfigMaps, {.ns = "demo", .limit = 4})).value();
  EXPECT_THAT(names(first.items), ElementsAre("a", "b", "c", "d"));
  const auto rest = wait(store().list(
      kConfigMaps, {.ns = "demo", .limit = 4, .continue_token = first.continue_token}));
  EXPECT_THAT(names(rest->items), ElementsAre("e", "f"));
  EXPECT_TRUE(rest->continue_token.empty());
  EXPECT_EQ(wait(store().list(kConfigMaps, {.label_selector = "=,="})).error().code,
            Code::kBadRequest);
}

TEST_P(StoreContract, AWatchFromZeroBringsTheStateThenABookmarkThenChanges) {
  for (const char* name : {"a", "b", "c", "d"}) created(kConfigMaps, config_map(name));
  auto watch = wait(store().watch(kConfigMaps, {.ns = "demo"})).value();
  std::vector<std::string> state;
  while (true) {
    const auto event = wait(watch->next()).value();
    if (event.type == WatchEvent::Type::kBookmark) break;
    EXPECT_EQ(event.type, WatchEvent::Type::kAdded);
    state.push_back(name_of(*event.object));
  }
  EXPECT_THAT(state, ElementsAre("a", "b", "c", "d"));
  Json next = *created(kConfigMaps, config_map("e"));
  next["data"]["key"] = "2";
  ASSERT_TRUE(wait(store().update(kConfigMaps, next, {})));
  ASSERT_TRUE(wait(store().remove(kConfigMaps, {"demo", "e"}, {})));
  std::uint64_t version = 0;
  for (const auto type :
       {WatchEvent::Type::kAdded, WatchEvent::Type::kModified, WatchEvent::Type::kDeleted}) {
    const auto event = wait(watch->next()).value();
    EXPECT_EQ(event.type, type);
    EXPECT_EQ(name_of(*event.object), "e");
    EXPECT_GT(event.resource_version, version);
    version = event.resource_version;
  }
}

TEST_P(StoreContract, AWatchGoesOnFromAVersion) {
  const ObjectPtr a = created(kConfigMaps, config_map("a"));
  created(kConfigMaps, config_map("b"));
  auto watch =
      wait(store().watch(kConfigMaps, {.resource_version = resource_version_of(*a)})).value();
  EXPECT_EQ(name_of(*wait(watch->next())->object), "b");
}

TEST_P(StoreContract, AnObjectThatLeavesTheSelectionIsDeletedToTheWatcher) {
  const ObjectPtr object = created(kConfigMaps, labelled("a", "x"));
  auto watch = wait(store().watch(kConfigMaps, {.label_selector = "app=x",
                                                .resource_version = resource_version_of(*object)}))
                   .value();
  Json next = *object;
  next["metadata"]["labels"]["app"] = "y";
  ASSERT_TRUE(wait(store().update(kConfigMaps, next, {})));
  EXPECT_EQ(wait(watch->next())->type, WatchEvent::Type::kDeleted);
}

TEST_P(StoreContract, AVersionOfAnotherHistoryIsExpired) {
  created(kConfigMaps, config_map("a"));
  auto watch = wait(store().watch(kConfigMaps, {.resource_version = 1'000'000'000}));
  // Some say it at once, some with the first event.
  const Code code = watch ? wait((*watch)->next()).error().code : watch.error().code;
  EXPECT_EQ(code, Code::kExpired);
}

// What a task sees whose group is cancelled while it waits for a watch.
struct CancelledWait {
  explicit CancelledWait(async::Loop& loop) : news(loop) {}
  async::Signal news;
  bool waits = false;
  std::optional<Code> ended;
};

Task<void> watch_until_cancelled(Store& store, CancelledWait& out) {
  auto watch = co_await store.watch(kConfigMaps, {});
  (void)co_await (*watch)->next();
  out.waits = true;
  out.news.notify();
  const auto event = co_await (*watch)->next();
  out.ended = event ? Code::kInternal : event.error().code;
}

TEST_P(StoreContract, ACancelledWaitEndsAsCancelled) {
  CancelledWait wait(kubernetes_.loop());
  kubernetes_.run([](Kubernetes& world, CancelledWait& seen) -> Task<void> {
    async::TaskGroup tasks(world.loop());
    tasks.spawn(watch_until_cancelled(world.store(), seen));
    while (!seen.waits) co_await seen.news.wait();
    tasks.cancel();
    co_await tasks.drain();
  }(kubernetes_, wait));
  EXPECT_EQ(wait.ended, Code::kCancelled);
}

TEST_P(StoreContract, ApplyCreatesChangesAndLeavesAlone) {
  const auto first = wait(apply(store(), kConfigMaps, config_map("a")));
  ASSERT_TRUE(first) << first.error().message;
  const auto same = wait(apply(store(), kConfigMaps, config_map("a")));
  EXPECT_EQ(resource_version_of(**same), resource_version_of(**first));
  const auto changed = wait(apply(store(), kConfigMaps, config_map("a", "2")));
  EXPECT_EQ((**changed)["data"]["key"], "2");
}

// Counts what an informer tells its handlers.
struct Told {
  std::map<std::string, int> changed;
  std::map<std::string, int> deleted;
};

struct Follower {
  Follower(Kubernetes& world)
      : informer(world.loop(), world.store(), kConfigMaps),
        tasks(world.loop()),
        news(world.loop()) {
    informer.on_change([this](const ObjectPtr& object, bool deleted) {
      ++(deleted ? told.deleted : told.changed)[name_of(*object)];
      news.notify();
    });
  }
  Informer informer;
  async::TaskGroup tasks;
  async::Signal news;
  Told told;
};

Task<void> until(Follower& follower, std::function<bool(const Follower&)> reached) {
  while (!reached(follower)) co_await follower.news.wait_for(std::chrono::seconds(30));
}

Task<void> start(Follower& follower) {
  follower.tasks.spawn(follower.informer.run());
  co_await follower.informer.wait_synced();
}

Task<void> stop(Follower& follower) {
  follower.tasks.cancel();
  co_await follower.tasks.drain();
}

TEST_P(StoreContract, AnInformerToldOfEveryObjectOnce) {
  for (const char* name : {"a", "b", "c", "d", "e"}) created(kConfigMaps, config_map(name));
  Follower follower(kubernetes_);
  kubernetes_.run(start(follower));
  ASSERT_TRUE(wait(store().remove(kConfigMaps, {"demo", "b"}, {})));
  created(kConfigMaps, config_map("f"));
  kubernetes_.run(until(follower, [](const Follower& f) {
    return f.told.changed.contains("f") && f.told.deleted.contains("b");
  }));
  kubernetes_.run(stop(follower));
  for (const auto& [name, count] : follower.told.changed) EXPECT_EQ(count, 1) << name;
  EXPECT_EQ(follower.told.deleted, (std::map<std::string, int>{{"b", 1}}));
  EXPECT_EQ(follower.informer.all().size(), 5U);
}

INSTANTIATE_TEST_SUITE_P(Worlds, StoreContract, testing::Values(World::kEmbedded, World::kRemote),
                         [](const auto& world) { return name_of_world(world.param); });

class RemoteOnly : public StoreContract {};

TEST_P(RemoteOnly, AnInformerLosesAndDoublesNothingWhenConnectionsAreCut) {
  for (const char* name : {"a", "b", "c", "d"}) created(kConfigMaps, config_map(name));
  Follower follower(kubernetes_);
  kubernetes_.run(start(follower));
  for (int round = 0; round < 3; ++round) {
    kubernetes_.cut_connections();
    const std::string name = "n" + std::to_string(round);
    created(kConfigMaps, config_map(name));
    kubernetes_.run(
        until(follower, [name](const Follower& f) { return f.told.changed.contains(name); }));
  }
  kubernetes_.run(stop(follower));
  for (const auto& [name, count] : follower.told.changed) EXPECT_EQ(count, 1) << name;
  EXPECT_TRUE(follower.told.deleted.empty());
  EXPECT_EQ(follower.informer.all().size(), 7U);
}

INSTANTIATE_TEST_SUITE_P(Worlds, RemoteOnly, testing::Values(World::kRemote),
                         [](const auto& world) { return name_of_world(world.param); });

}  // namespace
}  // namespace hearth::contract
