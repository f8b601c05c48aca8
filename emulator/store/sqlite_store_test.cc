#include "emulator/store/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulator/store/testing/store_fixture.h"
#include "platform/async/timer.h"
#include "platform/base/embedded_files.h"
#include "platform/base/yaml.h"
#include "platform/resource/well_known.h"

namespace hearth::store {
namespace {

using namespace resource;

using SqliteStoreTest = StoreFixture;

TEST_F(SqliteStoreTest, CreatesWithServerFieldsAndRefusesASecond) {
  const auto created = wait(store_->create(kConfigMaps, config_map("a", "1"), {}));
  ASSERT_TRUE(created);
  EXPECT_FALSE(uid_of(**created).empty());
  EXPECT_GT(resource_version_of(**created), 0U);
  const auto again = wait(store_->create(kConfigMaps, config_map("a", "1"), {}));
  EXPECT_EQ(again.error().code, Code::kAlreadyExists);
  EXPECT_EQ(again.error().message, "configmaps \"a\" already exists");
}

TEST_F(SqliteStoreTest, RefusesAnUnknownNamespaceAndABadName) {
  Json object = config_map("a", "1");
  object["metadata"]["namespace"] = "nowhere";
  EXPECT_EQ(wait(store_->create(kConfigMaps, object, {})).error().message,
            "namespaces \"nowhere\" not found");
  EXPECT_EQ(wait(store_->create(kConfigMaps, config_map("Bad_Name", ""), {})).error().code,
            Code::kInvalid);
}

TEST_F(SqliteStoreTest, UpdatesOnlyTheCurrentVersion) {
  const auto first = wait(store_->create(kConfigMaps, config_map("a", "1"), {}));
  Json next = **first;
  next["data"]["key"] = "2";
  ASSERT_TRUE(wait(store_->update(kConfigMaps, next, {})));
  next["data"]["key"] = "3";
  EXPECT_EQ(wait(store_->update(kConfigMaps, next, {})).error().code, Code::kConflict);
}

TEST_F(SqliteStoreTest, AWriteThatChangesNothingKeepsTheVersion) {
  const auto first = wait(store_->create(kConfigMaps, config_map("a", "1"), {}));
  const auto again = wait(store_->update(kConfigMaps, **first, {}));
  EXPECT_EQ(resource_version_of(**again), resource_version_of(**first));
}

TEST_F(SqliteStoreTest, AReadNeverGivesAnOlderVersionThatSomebodyHolds) {
  const auto first = wait(store_->create(kConfigMaps, config_map("a", "1"), {}));
  const auto read = wait(store_->get(kConfigMaps, {"demo", "a"}));
  EXPECT_EQ(wait(store_->get(kConfigMaps, {"demo", "a"}))->get(), read->get());  // not parsed again
  Json next = **read;
  next["data"]["key"] = "2";
  const auto second = wait(store_->update(kConfigMaps, next, {}));
  EXPECT_EQ(**wait(store_->get(kConfigMaps, {"demo", "a"})), **second);
  ASSERT_TRUE(wait(store_->remove(kConfigMaps, {"demo", "a"}, {})));
  EXPECT_EQ(wait(store_->get(kConfigMaps, {"demo", "a"})).error().code, Code::kNotFound);
}

TEST_F(SqliteStoreTest, SurvivesARestartAndGoesOnCounting) {
  const auto first = wait(store_->create(kConfigMaps, config_map("a", "1"), {}));
  close();
  open();
  const auto again = wait(store_->get(kConfigMaps, {"demo", "a"}));
  ASSERT_TRUE(again);
  EXPECT_EQ(**again, **first);
  const auto second = wait(store_->create(kConfigMaps, config_map("b", "1"), {}));
  EXPECT_GT(resource_version_of(**second), resource_version_of(**first));
}

TEST_F(SqliteStoreTest, AWatchStartsWithTheStateOrContinuesFromAVersion) {
  const auto a = wait(store_->create(kConfigMaps, config_map("a", "1"), {}));
  const auto b = wait(store_->create(kConfigMaps, config_map("b", "1"), {}));
  auto from_start = wait(store_->watch(kConfigMaps, {})).value();
  EXPECT_EQ(name_of(*wait(from_start->next())->object), "a");
  EXPECT_EQ(name_of(*wait(from_start->next())->object), "b");
  EXPECT_EQ(wait(from_start->next())->type, WatchEvent::Type::kBookmark);
  auto from_a =
      wait(store_->watch(kConfigMaps, {.resource_version = resource_version_of(**a)})).value();
  EXPECT_EQ(name_of(*wait(from_a->next())->object), "b");
  ASSERT_TRUE(wait(store_->remove(kConfigMaps, {"demo", "a"}, {})));
  const auto deleted = wait(from_a->next());
  EXPECT_EQ(deleted->type, WatchEvent::Type::kDeleted);
  EXPECT_EQ(wait(from_start->next())->resource_version, deleted->resource_version);
}

TEST_F(SqliteStoreTest, AnObjectThatLeavesTheSelectionIsDeletedToTheWatcher) {
  Json labelled = config_map("a", "1");
  labelled["metadata"]["labels"] = {{"app", "x"}};
  const auto created = wait(store_->create(kConfigMaps, labelled, {}));
  auto watch = wait(store_->watch(kConfigMaps, {.label_selector = "app=x"})).value();
  ASSERT_EQ(wait(watch->next())->type, WatchEvent::Type::kAdded);
  ASSERT_EQ(wait(watch->next())->type, WatchEvent::Type::kBookmark);
  Json next = **created;
  next["metadata"]["labels"]["app"] = "y";
  ASSERT_TRUE(wait(store_->update(kConfigMaps, next, {})));
  EXPECT_EQ(wait(watch->next())->type, WatchEvent::Type::kDeleted);
}

TEST_F(SqliteStoreTest, FinalizersHoldAnObjectUntilTheLastIsGone) {
  Json object = config_map("a", "1");
  object["metadata"]["finalizers"] = {"x/y"};
  ASSERT_TRUE(wait(store_->create(kConfigMaps, object, {})));
  EXPECT_FALSE(wait(store_->remove(kConfigMaps, {"demo", "a"}, {}))->gone);
  const auto held = wait(store_->get(kConfigMaps, {"demo", "a"}));
  ASSERT_TRUE(held && is_being_deleted(**held));
  Json next = **held;
  remove_finalizer(next, "x/y");
  ASSERT_TRUE(wait(store_->update(kConfigMaps, next, {})));
  EXPECT_EQ(wait(store_->get(kConfigMaps, {"demo", "a"})).error().code, Code::kNotFound);
}

Task<void> until_gone(SqliteStore& store, Type type, ObjectKey key) {
  auto watch = co_await store.watch(type, {.ns = key.ns});
  while (co_await store.get(type, key)) (void)co_await (*watch)->next();
}

TEST_F(SqliteStoreTest, DependentsGoWithTheirOwner) {
  const auto owner = wait(store_->create(kConfigMaps, config_map("owner", "1"), {}));
  Json dependent = config_map("dependent", "1");
  set_controller(dependent, **owner);
  ASSERT_TRUE(wait(store_->create(kConfigMaps, dependent, {})));
  ASSERT_TRUE(wait(store_->remove(kConfigMaps, {"demo", "owner"}, {})));
  run(until_gone(*store_, kConfigMaps, {"demo", "dependent"}));
}

TEST_F(SqliteStoreTest, ANamespaceGoesWithItsContents) {
  ASSERT_TRUE(wait(store_->create(kConfigMaps, config_map("a", "1"), {})));
  ASSERT_TRUE(wait(store_->remove(kNamespaces, {"", "demo"}, {})));
  run(until_gone(*store_, kNamespaces, {"", "demo"}));
  EXPECT_EQ(wait(store_->get(kConfigMaps, {"demo", "a"})).error().code, Code::kNotFound);
  EXPECT_EQ(wait(store_->remove(kNamespaces, {"", "default"}, {})).error().code, Code::kForbidden);
}

TEST_F(SqliteStoreTest, ServesACustomKindWithGenerationAndStatus) {
  const auto text = base::embedded_file("config/crds/lambda.knative.io_lambdafunctions.yaml");
  ASSERT_TRUE(text);
  ASSERT_TRUE(
      wait(store_->create(kCustomResourceDefinitions, base::parse_yaml(*text).value(), {})));
  Json function = new_object(kFunctions, {"demo", "hello"});
  function["spec"] = {{"source", {{"type", "inline"}, {"inline", {{"code", "x"}}}}},
                      {"runtime", {{"language", "python"}, {"version", "3.11"}}}};
  const auto created = wait(store_->create(kFunctions, function, {}));
  ASSERT_TRUE(created) << created.error().message;
  EXPECT_EQ(generation_of(**created), 1);
  Json next = **created;
  next["status"]["phase"] = "Ready";
  const auto status = wait(store_->update(kFunctions, next, {.subresource = Subresource::kStatus}));
  EXPECT_EQ(generation_of(**status), 1);
  EXPECT_EQ(base::string_at(**status, {"status", "phase"}), "Ready");
  next = **status;
  next["spec"]["source"]["inline"]["code"] = "y";
  next["status"]["phase"] = "Lost";
  const auto updated = wait(store_->update(kFunctions, next, {}));
  EXPECT_EQ(generation_of(**updated), 2);
  EXPECT_EQ(base::string_at(**updated, {"status", "phase"}), "Ready");
  function["spec"]["sourc"] = 1;
  function["metadata"]["name"] = "typo";
  const auto strict =
      wait(store_->create(kFunctions, function, {.field_validation = FieldValidation::kStrict}));
  EXPECT_EQ(strict.error().message, "strict decoding error: unknown field \"spec.sourc\"");
}

TEST_F(SqliteStoreTest, RefusesACustomKindWhoseSchemaIsMalformed) {
  const auto text = base::embedded_file("config/crds/lambda.knative.io_lambdafunctions.yaml");
  Json crd = base::parse_yaml(*text).value();
  Json& schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
  schema["properties"]["foo"] = {{"type", "strng"}};
  const auto refused = wait(store_->create(kCustomResourceDefinitions, crd, {}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().message,
              testing::HasSubstr("spec.versions[0].schema.openAPIV3Schema.properties[foo].type: "
                                 "Unsupported value: \"strng\""));
  schema["properties"].erase("foo");
  ASSERT_TRUE(wait(store_->create(kCustomResourceDefinitions, crd, {})));
  schema["type"] = "array";
  EXPECT_EQ(wait(store_->update(kCustomResourceDefinitions, crd, {})).error().code, Code::kInvalid);
}

TEST_F(SqliteStoreTest, RefusesAnObjectThatDefaultsWouldMakeTooLarge) {
  const auto text = base::embedded_file("config/crds/lambda.knative.io_lambdafunctions.yaml");
  Json crd = base::parse_yaml(*text).value();
  Json& schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
  schema["properties"]["foo"] = {{"type", "string"}, {"default", std::string(2'000'000, 'x')}};
  ASSERT_TRUE(wait(store_->create(kCustomResourceDefinitions, crd, {})));
  const auto refused = wait(store_->create(kFunctions, new_object(kFunctions, {"demo", "a"}), {}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  EXPECT_EQ(refused.error().message,
            "LambdaFunction.lambda.knative.io \"a\": the defaults of its schema would add more "
            "than 1572864 bytes");
}

TEST_F(SqliteStoreTest, PagesThroughALongList) {
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(wait(store_->create(kConfigMaps, config_map("m" + std::to_string(i), ""), {})));
  }
  const auto first = wait(store_->list(kConfigMaps, {.ns = "demo", .limit = 5})).value();
  ASSERT_EQ(first.items.size(), 5U);
  const auto rest =
      wait(store_->list(kConfigMaps,
                        {.ns = "demo", .limit = 5, .continue_token = first.continue_token}))
          .value();
  EXPECT_EQ(rest.items.size(), 2U);
  EXPECT_TRUE(rest.continue_token.empty());
}

}  // namespace
}  // namespace hearth::store
