#include "platform/resource/managed_fields.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/resource/field_set.h"

namespace hearth::resource {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

const base::WallTime kNow{std::chrono::seconds(1'700'000'000)};
const FieldManager kAlice{"alice", "v1", ""};
const FieldManager kBob{"bob", "v1", ""};

Json parse(std::string_view text) { return base::parse_json(text).value(); }

constexpr int kMany = 20'000;  // work of its square takes seconds to minutes

Json finalizers(int first, int end) {
  Json out = Json::array();
  for (int i = first; i < end; ++i) out.push_back("x.io/" + std::to_string(i));
  return out;
}

Json with_finalizers(Json list) {
  return {{"metadata", {{"name", "a"}, {"finalizers", std::move(list)}}}};
}

Definition built_in(std::string kind) {
  Definition definition;
  definition.type = {"", "v1", "things", std::move(kind)};
  return definition;
}

// One object's life under server-side apply.
class Applied {
 public:
  explicit Applied(Definition definition) : definition_(std::move(definition)) {}

  Status apply(const FieldManager& manager, const std::string& text, bool force = false) {
    Json body = parse(text);
    body["apiVersion"] = "v1";
    body["kind"] = definition_.type.kind;
    HEARTH_TRY(wanted, applied_configuration(definition_, body, manager));
    Json managed = Json::array();
    Json next = wanted;
    if (!object.is_null()) {
      HEARTH_TRY(applied, apply_configuration(definition_, object, wanted, manager, force, kNow));
      next = applied.object;
      managed = applied.managed;
    }
    next["metadata"]["managedFields"] =
        managed_after_apply(definition_, next, wanted, managed, manager, kNow);
    object = std::move(next);
    return {};
  }

  void update(const FieldManager& manager, const Json& next) {
    Json managed = managed_after_update(definition_, object, next, Json(), manager, kNow);
    object = next;
    object["metadata"]["managedFields"] = std::move(managed);
  }

  std::vector<std::string> owned(const std::string& manager) const {
    for (const Json& entry : object["metadata"]["managedFields"]) {
      if (entry["manager"] == manager) return paths_of(entry["fieldsV1"]);
    }
    return {};
  }

  Json object;

 private:
  Definition definition_;
};

TEST(ServerSideApply, OwnsWhatItSays) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, R"({"metadata":{"name":"a","labels":{"app":"x"}},
                                    "data":{"k":"1"}})"));
  const Json& entry = map.object["metadata"]["managedFields"][0];
  EXPECT_EQ(entry["operation"], "Apply");
  EXPECT_EQ(entry["fieldsV1"],
            parse(R"({"f:data":{"f:k":{}},"f:metadata":{"f:labels":{"f:app":{}}}})"));
}

TEST(ServerSideApply, AFieldNoLongerSaidIsRemovedWhenNobodyElseOwnsIt) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"mine":"1","shared":"2"}})"));
  ASSERT_TRUE(map.apply(kBob, R"({"data":{"shared":"2"}})"));
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"new":"3"}})"));
  EXPECT_EQ(map.object["data"], parse(R"({"shared":"2","new":"3"})"));
  EXPECT_THAT(map.owned("alice"), ElementsAre(".data.new"));
}

TEST(ServerSideApply, ConflictsNameManagerAndField) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"k":"1"}})"));
  const Status refused = map.apply(kBob, R"({"data":{"k":"2"}})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_EQ(refused.error().message,
            "Apply failed with 1 conflict: conflict with \"alice\": .data.k");
  EXPECT_THAT(refused.error().fields, ElementsAre(FieldError{".data.k", "FieldManagerConflict",
                                                             "conflict with \"alice\""}));
  EXPECT_EQ(map.object["data"]["k"], "1");
}

TEST(ServerSideApply, ForceTakesTheFieldOver) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"k":"1","other":"x"}})"));
  ASSERT_TRUE(map.apply(kBob, R"({"data":{"k":"2"}})", true));
  EXPECT_EQ(map.object["data"]["k"], "2");
  EXPECT_THAT(map.owned("alice"), ElementsAre(".data.other"));
  EXPECT_THAT(map.owned("bob"), ElementsAre(".data.k"));
}

TEST(ServerSideApply, ListsMergeByTheirKeys) {
  Applied pod(built_in("Pod"));
  ASSERT_TRUE(pod.apply(kAlice, R"({"spec":{"containers":[
      {"name":"a","image":"i","env":[{"name":"A","value":"1"}],
       "ports":[{"containerPort":80}]}]}})"));
  ASSERT_TRUE(pod.apply(kBob, R"({"spec":{"containers":[
      {"name":"a","env":[{"name":"B","value":"2"}]},{"name":"b","image":"j"}]}})"));
  const Json& containers = pod.object["spec"]["containers"];
  ASSERT_EQ(containers.size(), 2U);
  EXPECT_EQ(containers[0]["image"], "i");
  EXPECT_EQ(containers[0]["env"].size(), 2U);
  EXPECT_THAT(pod.owned("alice"), testing::Contains(HasSubstr("ports[containerPort=80")));
  const Status refused = pod.apply(kBob, R"({"spec":{"containers":[{"name":"a","image":"k"}]}})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fields[0].field, ".spec.containers[name=\"a\"].image");
}

TEST(ServerSideApply, AnItemGoesWithItsOwnerEvenWhenDefaultsWereFilledIn) {
  Applied pod(built_in("Pod"));
  ASSERT_TRUE(pod.apply(kAlice, R"({"spec":{"containers":[{"name":"a","image":"i"},
                                                          {"name":"b","image":"j"}]}})"));
  pod.object["spec"]["containers"][1]["imagePullPolicy"] = "Always";  // nobody owns it
  ASSERT_TRUE(pod.apply(kAlice, R"({"spec":{"containers":[{"name":"a","image":"i"}]}})"));
  ASSERT_EQ(pod.object["spec"]["containers"].size(), 1U);
  EXPECT_EQ(pod.object["spec"]["containers"][0]["name"], "a");
}

TEST(ServerSideApply, AtomicListsAreOneField) {
  Applied pod(built_in("Pod"));
  ASSERT_TRUE(pod.apply(kAlice, R"({"spec":{"tolerations":[{"key":"a"}]}})"));
  const Status refused = pod.apply(kBob, R"({"spec":{"tolerations":[{"key":"b"}]}})");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().fields[0].field, ".spec.tolerations");
}

TEST(ServerSideApply, LabelsThatNobodyOwnsStay) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, R"({"metadata":{"labels":{"mine":"1"}},"data":{"k":"1"}})"));
  map.object["metadata"]["labels"]["controllers"] = "x";
  map.object["metadata"]["finalizers"] = {"hold"};
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"k":"1"}})"));
  EXPECT_EQ(map.object["metadata"]["labels"], parse(R"({"controllers":"x"})"));
  EXPECT_EQ(map.object["metadata"]["finalizers"], parse(R"(["hold"])"));
}

TEST(ServerSideApply, TheFirstApplyMeetsWhatWasThereBefore) {
  Applied map(built_in("ConfigMap"));
  map.object = parse(R"({"metadata":{"name":"a"},"data":{"k":"1"}})");
  const Status refused = map.apply(kAlice, R"({"data":{"k":"2"}})");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("before-first-apply\" using v1"));
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"k":"1"}})"));
}

TEST(ServerSideApply, KubectlTakesOverWhatItAppliedOnTheClient) {
  Applied map(built_in("ConfigMap"));
  map.object = parse(R"({"data":{"k":"1","other":"x"},"metadata":{"annotations":{
      "kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"k\":\"1\"}}"}}})");
  const FieldManager kubectl{"kubectl", "v1", ""};
  EXPECT_FALSE(map.apply(kAlice, R"({"data":{"k":"2"}})"));
  EXPECT_FALSE(map.apply(kubectl, R"({"data":{"other":"y"}})"));
  ASSERT_TRUE(map.apply(kubectl, R"({"data":{"k":"2"}})"));
  EXPECT_THAT(map.owned("kubectl"), ElementsAre(".data.k"));
}

TEST(ServerSideApply, TheSchemaOfACustomKindSaysHowListsMerge) {
  Definition definition = built_in("Widget");
  definition.is_custom = true;
  definition.schema = std::make_shared<const Json>(parse(R"({"type":"object","properties":{
    "spec":{"type":"object","properties":{
      "parts":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["id"],
        "items":{"type":"object","properties":{"id":{"type":"integer"},"size":{}}}},
      "tags":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}},
      "place":{"type":"object","x-kubernetes-map-type":"atomic"},
      "plain":{"type":"array","items":{"type":"string"}}}}}})"));
  Applied widget(definition);
  ASSERT_TRUE(widget.apply(kAlice, R"({"spec":{"parts":[{"id":1,"size":5}],"tags":["a"],
                                      "place":{"x":1},"plain":["p"]}})"));
  ASSERT_TRUE(widget.apply(kBob, R"({"spec":{"parts":[{"id":2,"size":6}],"tags":["b"]}})"));
  EXPECT_EQ(widget.object["spec"]["parts"].size(), 2U);
  EXPECT_THAT(widget.object["spec"]["tags"], UnorderedElementsAre("a", "b"));
  EXPECT_FALSE(widget.apply(kBob, R"({"spec":{"place":{"y":1}}})"));
  EXPECT_FALSE(widget.apply(kBob, R"({"spec":{"plain":["q"]}})"));
}

TEST(ManagedFields, AnUpdateTakesWhatItChangesFromAllOthers) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"k":"1","other":"x"}})"));
  Json next = map.object;
  next["data"]["k"] = "2";
  map.update(kBob, next);
  EXPECT_THAT(map.owned("alice"), ElementsAre(".data.other"));
  EXPECT_THAT(map.owned("bob"), ElementsAre(".data.k"));
  const Status refused = map.apply(kAlice, R"({"data":{"k":"1","other":"x"}})");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("conflict with \"bob\" using v1: .data.k"));
}

TEST(ManagedFields, FieldsThatAreGoneLeaveEveryEntry) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"k":"1","other":"x"}})"));
  Json next = map.object;
  next["data"].erase("other");
  map.update(kBob, next);
  EXPECT_THAT(map.owned("alice"), ElementsAre(".data.k"));
  EXPECT_THAT(map.owned("bob"), ElementsAre());
}

TEST(ManagedFields, AnEmptyListStartsAnew) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"k":"1"}})"));
  const Json none = managed_after_update(built_in("ConfigMap"), map.object, map.object,
                                         Json::array(), kBob, kNow);
  EXPECT_TRUE(none.empty());
}

TEST(ManagedFields, ManyUpdatersBecomeOne) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"k":"1"}})"));
  for (int i = 0; i < 20; ++i) {
    Json next = map.object;
    next["data"]["key" + std::to_string(i)] = "v";
    map.update({"writer" + std::to_string(i), "v1", ""}, next);
  }
  EXPECT_LE(map.object["metadata"]["managedFields"].size(), 11U);
  EXPECT_FALSE(map.owned("ancient-changes").empty());
}

TEST(ManagedFields, ALongListThatIsReorderedKeepsItsOwner) {
  Applied map(built_in("ConfigMap"));
  map.object = with_finalizers(finalizers(0, kMany));
  map.object["metadata"]["managedFields"] =
      managed_at_creation(built_in("ConfigMap"), map.object, kAlice, kNow);
  const auto before = map.owned("alice");
  EXPECT_EQ(before.size(), static_cast<std::size_t>(kMany) + 2);  // the list and metadata too
  Json next = map.object;
  std::ranges::reverse(next["metadata"]["finalizers"]);
  map.update(kBob, next);
  EXPECT_TRUE(map.owned("alice") == before);
  EXPECT_TRUE(map.owned("bob").empty());
}

TEST(ManagedFields, ThousandsOfOfferedEntriesBecomeTen) {
  const Definition definition = built_in("ConfigMap");
  Json old;
  Json offered = Json::array();
  for (int i = 0; i < kMany; ++i) {
    const std::string name = std::to_string(i);
    old["data"][name] = "x";
    offered.push_back({{"manager", "m" + name},
                       {"operation", "Update"},
                       {"apiVersion", "v1"},
                       {"time", "2023-01-01T00:00:00Z"},
                       {"fieldsV1", {{"f:data", {{"f:" + name, Json::object()}}}}}});
  }
  const Json managed = managed_after_update(definition, old, old, offered, kBob, kNow);
  ASSERT_EQ(managed.size(), 10U);
  std::size_t owned = 0;
  for (const Json& entry : managed) owned += paths_of(entry["fieldsV1"]).size();
  EXPECT_EQ(owned, static_cast<std::size_t>(kMany));
}

TEST(ManagedFields, OfTheEntriesThatAWriterOffersAsItsOwnTheLastCounts) {
  const Definition definition = built_in("ConfigMap");
  Json offered = Json::array();
  for (int i = 0; i < kMany; ++i) {
    offered.push_back({{"manager", "bob"},
                       {"operation", "Update"},
                       {"apiVersion", "v1"},
                       {"time", "2023-01-01T00:00:00Z"},
                       {"fieldsV1", {{"f:data", {{"f:a", Json::object()}}}}}});
  }
  offered.back()["fieldsV1"] = parse(R"({"f:data":{"f:b":{}}})");
  const Json old = parse(R"({"data":{"a":"1","b":"2"}})");
  Json next = old;
  for (int i = 0; i < kMany; ++i) next["data"]["new" + std::to_string(i)] = "x";
  const Json managed = managed_after_update(definition, old, next, offered, kBob, kNow);
  const auto owns_new = [](const Json& entry) { return paths_of(entry["fieldsV1"]).size() > 2; };
  EXPECT_EQ(managed.size(), 10U);
  EXPECT_EQ(std::ranges::count_if(managed, owns_new), 1);
}

TEST(ServerSideApply, LongListsMergeAndLoseItemByItem) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, with_finalizers(finalizers(0, kMany)).dump()));
  ASSERT_TRUE(map.apply(kBob, with_finalizers(finalizers(kMany / 2, kMany * 2)).dump()));
  EXPECT_TRUE(map.object["metadata"]["finalizers"] == finalizers(0, kMany * 2));
  ASSERT_TRUE(map.apply(kAlice, with_finalizers(finalizers(0, 1)).dump()));
  Json left = finalizers(0, 1);
  for (const Json& item : finalizers(kMany / 2, kMany * 2)) left.push_back(item);
  EXPECT_TRUE(map.object["metadata"]["finalizers"] == left);
}

TEST(ServerSideApply, ARefusalNamesNoMoreConflictsThanFit) {
  Definition definition = built_in("Widget");
  definition.schema = std::make_shared<const Json>(parse(R"({"type":"object"})"));
  Applied widget(definition);
  const auto body = [](int value) {
    Json fields = Json::object();
    for (int i = 0; i < kMany; ++i) fields["n" + std::to_string(i)] = value;
    return Json{{"spec", {{std::string(20'000, 'k'), std::move(fields)}}}}.dump();
  };
  ASSERT_TRUE(widget.apply(kAlice, body(1)));
  const Status refused = widget.apply(kBob, body(2));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kConflict);
  EXPECT_GE(refused.error().fields.size(), 1U);
  EXPECT_LE(refused.error().fields.size(), 60U);
}

TEST(ServerSideApply, MeetsThousandsOfOtherAppliers) {
  Applied map(built_in("ConfigMap"));
  Json entries = Json::array();
  for (int i = 0; i < kMany; ++i) {
    const std::string name = std::to_string(i);
    map.object["data"][name] = "x";
    entries.push_back({{"manager", "m" + name},
                       {"operation", "Apply"},
                       {"apiVersion", "v1"},
                       {"time", "2023-01-01T00:00:00Z"},
                       {"fieldsV1", {{"f:data", {{"f:" + name, Json::object()}}}}}});
  }
  map.object["metadata"]["managedFields"] = std::move(entries);
  ASSERT_TRUE(map.apply(kAlice, R"({"data":{"mine":"1"}})"));
  EXPECT_EQ(map.object["data"].size(), static_cast<std::size_t>(kMany) + 1);
  EXPECT_EQ(map.object["metadata"]["managedFields"].size(), static_cast<std::size_t>(kMany) + 1);
}

TEST(ServerSideApply, AnItemOfMetadataGoesWithItsKeyAndAllItSaid) {
  Applied map(built_in("ConfigMap"));
  ASSERT_TRUE(map.apply(kAlice, R"({"metadata":{"ownerReferences":[
      {"uid":"1","name":"one"},{"uid":"2","name":"two"}]}})"));
  ASSERT_TRUE(map.apply(kAlice, R"({"metadata":{"ownerReferences":[{"uid":"2","name":"two"}]}})"));
  EXPECT_EQ(map.object["metadata"]["ownerReferences"], parse(R"([{"uid":"2","name":"two"}])"));
}

TEST(FieldSets, UniteSubtractAndIntersectKeepTheMiddle) {
  const Json a = parse(R"({"f:spec":{".":{},"f:a":{},"f:b":{"f:c":{}}}})");
  const Json b = parse(R"({"f:spec":{"f:b":{}},"f:x":{}})");
  FieldSet both = a;
  add_fields(both, b);
  EXPECT_EQ(both, parse(R"({"f:spec":{".":{},"f:a":{},"f:b":{".":{},"f:c":{}}},"f:x":{}})"));
  EXPECT_EQ(subtract(both, a), parse(R"({"f:spec":{"f:b":{}},"f:x":{}})"));
  EXPECT_EQ(intersect(a, b), Json::object());
  EXPECT_EQ(subtract(a, a), Json::object());
}

}  // namespace
}  // namespace hearth::resource
