#include <gmock/gmock.h>

#include "emulator/store/testing/store_fixture.h"

namespace hearth::store {
namespace {

using namespace resource;

class ServerSideApplyTest : public StoreFixture {
 protected:
  Result<ObjectPtr> apply(const std::string& manager, const std::string& value,
                          WriteOptions options = {}) {
    options.field_manager = manager;
    return wait(store_->patch(kConfigMaps, {"demo", "a"}, PatchType::kApply, config_map("a", value),
                              options));
  }
};

TEST_F(ServerSideApplyTest, CreatesWhatIsAbsentAndSaysSo) {
  bool created = false;
  const auto first = apply("alice", "1", {.created = &created});
  ASSERT_TRUE(first);
  EXPECT_TRUE(created);
  EXPECT_EQ((**first)["metadata"]["managedFields"][0]["manager"], "alice");
  ASSERT_TRUE(apply("alice", "2", {.created = &created}));
  EXPECT_FALSE(created);
}

TEST_F(ServerSideApplyTest, TheSameAgainWritesNothing) {
  const auto first = apply("alice", "1");
  clock_.advance(std::chrono::hours(1));
  const auto again = apply("alice", "1");
  EXPECT_EQ(resource_version_of(**again), resource_version_of(**first));
}

TEST_F(ServerSideApplyTest, ADryRunStoresNothing) {
  ASSERT_TRUE(apply("alice", "1", {.dry_run = true}));
  EXPECT_EQ(wait(store_->get(kConfigMaps, {"demo", "a"})).error().code, Code::kNotFound);
}

TEST_F(ServerSideApplyTest, NeedsTheNamespace) {
  Json object = config_map("a", "1");
  object["metadata"]["namespace"] = "nowhere";
  const auto refused = wait(store_->patch(kConfigMaps, {"nowhere", "a"}, PatchType::kApply, object,
                                          {.field_manager = "alice"}));
  EXPECT_EQ(refused.error().message, "namespaces \"nowhere\" not found");
}

TEST_F(ServerSideApplyTest, RefusesAnotherKindAndManagedFields) {
  Json object = config_map("a", "1");
  object["kind"] = "Secret";
  const WriteOptions alice{.field_manager = "alice"};
  EXPECT_EQ(wait(store_->patch(kConfigMaps, {"demo", "a"}, PatchType::kApply, object, alice))
                .error()
                .code,
            Code::kBadRequest);
  object = config_map("a", "1");
  object["metadata"]["managedFields"] = Json::array();
  EXPECT_EQ(wait(store_->patch(kConfigMaps, {"demo", "a"}, PatchType::kApply, object, alice))
                .error()
                .message,
            "metadata.managedFields must be nil");
}

TEST_F(ServerSideApplyTest, AStaleVersionIsAConflictEvenByForce) {
  ASSERT_TRUE(apply("alice", "1"));
  Json object = config_map("a", "2");
  object["metadata"]["resourceVersion"] = "1";
  EXPECT_EQ(wait(store_->patch(kConfigMaps, {"demo", "a"}, PatchType::kApply, object,
                               {.field_manager = "bob", .force = true}))
                .error()
                .code,
            Code::kConflict);
}

TEST_F(ServerSideApplyTest, ControllersOfTheHouseLeaveOwnersAlone) {
  const auto first = apply("alice", "1");
  Json next = **first;
  next["data"]["key"] = "2";
  const auto updated = wait(store_->update(kConfigMaps, next, {}));
  EXPECT_EQ((**updated)["metadata"]["managedFields"], (**first)["metadata"]["managedFields"]);
}

TEST_F(ServerSideApplyTest, AClientThatCreatesOwnsAllOfIt) {
  const auto created =
      wait(store_->create(kConfigMaps, config_map("a", "1"), {.field_manager = "kubectl-create"}));
  const Json& entry = (**created)["metadata"]["managedFields"][0];
  EXPECT_EQ(entry["operation"], "Update");
  EXPECT_EQ(apply("alice", "2").error().code, Code::kConflict);
}

}  // namespace
}  // namespace hearth::store
