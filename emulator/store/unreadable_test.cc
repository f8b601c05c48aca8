// What can't be read is not stored; and where it is nevertheless, it is in nobody's way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulator/store/sqlite_store.h"
#include "emulator/store/testing/store_fixture.h"
#include "platform/base/embedded_files.h"
#include "platform/base/limits.h"
#include "platform/base/yaml.h"
#include "platform/resource/well_known.h"

namespace hearth::store {
namespace {

using namespace resource;
using testing::HasSubstr;

const Type kDeeps{"x.io", "v1", "deeps", "Deep", true};

Json nested(std::size_t levels) {
  Json value = 1;
  for (std::size_t i = 0; i < levels; ++i) value = Json{{"a", std::move(value)}};
  return value;
}

class Unreadable : public StoreFixture {
 protected:
  Unreadable() { EXPECT_TRUE(wait(store_->create(kCustomResourceDefinitions, definition(), {}))); }

  static Json definition() {
    Json crd = new_object(kCustomResourceDefinitions, {"", "deeps.x.io"});
    const Json schema{{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
    crd["spec"] = {
        {"group", "x.io"},
        {"scope", "Namespaced"},
        {"names",
         {{"plural", "deeps"}, {"singular", "deep"}, {"kind", "Deep"}, {"listKind", "DeepList"}}},
        {"versions",
         {{{"name", "v1"},
           {"served", true},
           {"storage", true},
           {"schema", {{"openAPIV3Schema", schema}}}}}}};
    return crd;
  }

  static Json deep(const std::string& name, std::size_t levels) {
    Json object = new_object(kDeeps, {"demo", name});
    object["spec"] = nested(levels - 1);
    return object;
  }

  // By hand, past the rules: the stored text becomes another, with the store closed meanwhile.
  void damage(const std::string& plural, const std::string& name, const std::string& text) {
    close();
    {
      auto database = sqlite::Database::open(path_, sqlite::OpenMode::kReadWrite).value();
      auto statement = database.prepare("UPDATE objects SET data=? WHERE plural=? AND name=?");
      EXPECT_TRUE(statement.bind(text).bind(plural).bind(name).run());
      EXPECT_EQ(database.changes(), 1);
    }
    open();
  }

  std::vector<std::string> names(const Type& type, ListOptions options = {}) {
    std::vector<std::string> out;
    const auto list = wait(store_->list(type, std::move(options)));
    EXPECT_TRUE(list) << list.error().message;
    if (!list) return out;
    for (const ObjectPtr& object : list->items) out.push_back(name_of(*object));
    return out;
  }
};

Task<void> until_gone(SqliteStore& store, Type type, ObjectKey key) {
  auto watch = co_await store.watch(type, {.ns = key.ns});
  while (true) {
    const auto object = co_await store.get(type, key);
    if (!object && object.error().code == Code::kNotFound) co_return;
    (void)co_await (*watch)->next();
  }
}

TEST_F(Unreadable, WhateverDepthIsStoredCanBeListedChangedAndDeletedAfterARestart) {
  std::vector<std::string> stored;
  for (std::size_t levels = 180; levels <= 210; ++levels) {
    const std::string name = "d" + std::to_string(levels);
    const auto created =
        wait(store_->create(kDeeps, deep(name, levels), {.field_manager = "tester"}));
    if (created) {
      EXPECT_LE(base::depth_of(**created), limits::kObjectDepthMax);
      stored.push_back(name);
      continue;
    }
    EXPECT_EQ(created.error().code, Code::kInvalid) << levels;
    EXPECT_THAT(created.error().message,
                HasSubstr("Deep.x.io \"" + name + "\" is invalid: spec: "));
    EXPECT_THAT(created.error().message, HasSubstr("of at most 192"));
  }
  EXPECT_GE(stored.size(), 5U);
  EXPECT_LE(stored.size(), 13U);
  close();
  open();
  EXPECT_EQ(names(kDeeps), stored);
  for (const std::string& name : stored) {
    const Json label{{"metadata", {{"labels", {{"a", "b"}}}}}};
    EXPECT_TRUE(wait(store_->patch(kDeeps, {"demo", name}, PatchType::kMerge, label,
                                   {.field_manager = "another"})));
    EXPECT_TRUE(wait(store_->remove(kDeeps, {"demo", name}, {})));
  }
  EXPECT_TRUE(names(kDeeps).empty());
}

TEST_F(Unreadable, NoWayOfWritingStoresWhatIsTooDeep) {
  ASSERT_TRUE(wait(store_->create(kDeeps, deep("a", 2), {})));
  const auto refused = [](const Result<ObjectPtr>& written) {
    if (written) return testing::AssertionFailure() << base::dump_json(**written);
    if (written.error().message.contains("nested too deeply")) return testing::AssertionSuccess();
    return testing::AssertionFailure() << written.error().message;
  };
  const ObjectKey key{"demo", "a"};
  const Json object = deep("a", 195);
  const Json operation{{"op", "add"}, {"path", "/spec/b"}, {"value", nested(194)}};
  EXPECT_TRUE(refused(wait(store_->create(kDeeps, deep("b", 195), {.dry_run = true}))));
  EXPECT_TRUE(refused(wait(store_->update(kDeeps, object, {}))));
  EXPECT_TRUE(refused(wait(store_->update(kDeeps, object, {.dry_run = true}))));
  EXPECT_TRUE(refused(wait(store_->patch(kDeeps, key, PatchType::kMerge, object, {}))));
  EXPECT_TRUE(
      refused(wait(store_->patch(kDeeps, key, PatchType::kJson, Json::array({operation}), {}))));
  EXPECT_TRUE(refused(wait(store_->patch(kDeeps, key, PatchType::kApply, object,
                                         {.field_manager = "tester", .force = true}))));
  Json crd = **wait(store_->get(kCustomResourceDefinitions, {"", "deeps.x.io"}));
  crd["spec"]["zzz"] = nested(197);
  EXPECT_TRUE(refused(wait(store_->update(kCustomResourceDefinitions, crd, {}))));
  EXPECT_EQ(wait(store_->get(kDeeps, key)).value()->at("spec"), nested(1));
}

TEST_F(Unreadable, ARowThatCannotBeReadHidesNoOtherAndCanBeDeleted) {
  const std::string texts[] = {"not JSON", "", "[]", R"({"metadata":1})",
                               base::dump_json(deep("b", 205))};
  for (const std::string& text : texts) {
    for (const char* name : {"a", "b", "c"}) {
      ASSERT_TRUE(wait(store_->create(kDeeps, deep(name, 2), {}))) << text;
    }
    damage("deeps", "b", text);
    EXPECT_THAT(names(kDeeps), testing::ElementsAre("a", "c"));
    EXPECT_THAT(names(kDeeps, {.limit = 2}), testing::ElementsAre("a", "c"));
    const auto read = wait(store_->get(kDeeps, {"demo", "b"}));
    EXPECT_EQ(read.error().code, Code::kCorrupt);
    EXPECT_THAT(read.error().message,
                HasSubstr("stored as deeps.x.io \"b\" in namespace \"demo\" can't be read"));
    EXPECT_EQ(wait(store_->update(kDeeps, deep("b", 2), {})).error().code, Code::kCorrupt);
    EXPECT_EQ(wait(store_->remove(kDeeps, {"demo", "b"}, {.uid = "another"})).error().code,
              Code::kConflict);
    EXPECT_TRUE(wait(store_->remove(kDeeps, {"demo", "b"}, {.dry_run = true}))->gone);
    EXPECT_TRUE(wait(store_->remove(kDeeps, {"demo", "b"}, {}))->gone);
    EXPECT_EQ(wait(store_->get(kDeeps, {"demo", "b"})).error().code, Code::kNotFound);
    for (const char* name : {"a", "c"})
      ASSERT_TRUE(wait(store_->remove(kDeeps, {"demo", name}, {})));
  }
}

TEST_F(Unreadable, TheHistoryOfARowThatCouldNotBeReadIsPassedOver) {
  const auto before = wait(store_->create(kDeeps, deep("a", 2), {}));
  ASSERT_TRUE(wait(store_->create(kDeeps, deep("b", 2), {})));
  damage("deeps", "b", "not JSON");
  const auto version = resource_version_of(**before);
  ASSERT_TRUE(wait(store_->remove(kDeeps, {"demo", "b"}, {})));
  ASSERT_TRUE(wait(store_->create(kDeeps, deep("c", 2), {})));
  EXPECT_THAT(names(kDeeps, {.exact_version = version}), testing::ElementsAre("a"));
  EXPECT_THAT(names(kDeeps, {.exact_version = version + 1}), testing::ElementsAre("a"));
  auto watch = wait(store_->watch(kDeeps, {.resource_version = version})).value();
  EXPECT_EQ(name_of(*wait(watch->next())->object), "c");
}

TEST_F(Unreadable, ADefinitionThatCannotBeReadGoesWithItsObjects) {
  ASSERT_TRUE(wait(store_->create(kDeeps, deep("a", 2), {})));
  damage("customresourcedefinitions", "deeps.x.io", "not JSON");
  EXPECT_THAT(names(kCustomResourceDefinitions), testing::Not(testing::Contains("deeps.x.io")));
  EXPECT_EQ(wait(store_->get(kDeeps, {"demo", "a"})).error().code, Code::kNotFound);
  ASSERT_TRUE(wait(store_->remove(kCustomResourceDefinitions, {"", "deeps.x.io"}, {})));
  ASSERT_TRUE(wait(store_->create(kCustomResourceDefinitions, definition(), {})));
  run(until_gone(*store_, kDeeps, {"demo", "a"}));
}

TEST_F(Unreadable, ADefinitionThatCannotBeReadIsCreatedAnewWithItsObjects) {
  ASSERT_TRUE(wait(store_->create(kDeeps, deep("a", 2), {})));
  damage("customresourcedefinitions", "deeps.x.io", "not JSON");
  ASSERT_TRUE(wait(store_->create(kCustomResourceDefinitions, definition(), {})));
  EXPECT_THAT(names(kDeeps), testing::ElementsAre("a"));
}

TEST_F(Unreadable, AKindThatIsDefinedAnewWhileItsObjectsGoStays) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(wait(store_->create(kDeeps, deep("a" + std::to_string(i), 2), {})));
  }
  ASSERT_TRUE(wait(store_->remove(kCustomResourceDefinitions, {"", "deeps.x.io"}, {})));
  ASSERT_TRUE(wait(store_->create(kCustomResourceDefinitions, definition(), {})));
  for (int i = 0; i < 20; ++i) run(until_gone(*store_, kDeeps, {"demo", "a" + std::to_string(i)}));
  EXPECT_TRUE(wait(store_->create(kDeeps, deep("b", 2), {})));
  EXPECT_THAT(names(kDeeps), testing::ElementsAre("b"));
}

TEST_F(Unreadable, WhatIsCreatedInItsPlaceHasNoneOfItsOwners) {
  const auto owner = wait(store_->create(kDeeps, deep("owner", 2), {}));
  const Json reference{
      {"apiVersion", "x.io/v1"}, {"kind", "Deep"}, {"name", "owner"}, {"uid", uid_of(**owner)}};
  for (const char* name : {"child", "another"}) {
    Json object = deep(name, 2);
    object["metadata"]["ownerReferences"] = Json::array({reference});
    ASSERT_TRUE(wait(store_->create(kDeeps, object, {})));
  }
  damage("deeps", "child", "not JSON");
  ASSERT_TRUE(wait(store_->create(kDeeps, deep("child", 2), {})));
  ASSERT_TRUE(wait(store_->remove(kDeeps, {"demo", "owner"}, {})));
  run(until_gone(*store_, kDeeps, {"demo", "another"}));
  EXPECT_THAT(names(kDeeps), testing::ElementsAre("child"));
}

TEST_F(Unreadable, ANamespaceGoesWithWhatCannotBeReadAlsoWhenItIsTheNamespace) {
  for (const char* damaged : {"deeps", "namespaces"}) {
    (void)wait(store_->create(kNamespaces, new_object(kNamespaces, {"", "demo"}), {}));
    ASSERT_TRUE(wait(store_->create(kDeeps, deep("demo", 2), {})));
    // The fixture finds its namespace unreadable and makes it anew.
    damage(damaged, "demo", "not JSON");
    ASSERT_TRUE(wait(store_->remove(kNamespaces, {"", "demo"}, {})));
    run(until_gone(*store_, kNamespaces, {"", "demo"}));
    EXPECT_EQ(wait(store_->get(kDeeps, {"demo", "demo"})).error().code, Code::kNotFound);
  }
}

}  // namespace
}  // namespace hearth::store
