#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/resource/condition.h"
#include "platform/resource/definition.h"
#include "platform/resource/definition_rules.h"
#include "platform/resource/patch.h"
#include "platform/resource/schema.h"
#include "platform/resource/schema_rules.h"
#include "platform/resource/selector.h"
#include "platform/resource/testing/replace_each.h"

namespace hearth::resource {
namespace {

Json parse(std::string_view text) { return base::parse_json(text).value(); }

Json pod() {
  return parse(R"({"metadata":{"name":"p","labels":{"app":"a","n":"5"}},"spec":{"containers":[
    {"name":"c1","image":"i1","args":["x","y"],
     "env":[{"name":"A","value":"1"},{"name":"B","value":"2"}]},
    {"name":"c2","image":"i2"}]}})");
}

TEST(LabelSelector, MatchesEveryOperator) {
  const Json object = pod();
  for (const char* text : {"app=a", "app==a", "app!=b", "app in (a,b)", "zone notin (x)", "!zone",
                           "app", "n>4", "n<6", "app=a,n=5", ""}) {
    EXPECT_TRUE(LabelSelector::parse(text)->matches(object)) << text;
  }
  for (const char* text : {"app=b", "app notin (a)", "zone", "!app", "n>5", "app=a,n=6"}) {
    EXPECT_FALSE(LabelSelector::parse(text)->matches(object)) << text;
  }
  EXPECT_FALSE(LabelSelector::parse("a b c"));
  EXPECT_FALSE(LabelSelector::parse("x in a"));
}

TEST(FieldSelector, MatchesDottedFields) {
  EXPECT_TRUE(FieldSelector::parse("metadata.name=p")->matches(pod()));
  EXPECT_FALSE(FieldSelector::parse("metadata.name!=p")->matches(pod()));
  EXPECT_EQ(FieldSelector::parse("metadata.name=p")->required_name(), "p");
}

// The vectors of a real API server.
TEST(StrategicMerge, MergesContainersByName) {
  const auto out = strategic_merge_patch(
      pod(),
      parse(R"({"spec":{"containers":[{"name":"c2","image":"i2b"},{"name":"c3","image":"i3"}]}})"));
  ASSERT_TRUE(out);
  std::map<std::string, std::string> images;
  for (const Json& c : (*out)["spec"]["containers"]) images[c["name"]] = c["image"];
  EXPECT_EQ(images,
            (std::map<std::string, std::string>{{"c1", "i1"}, {"c2", "i2b"}, {"c3", "i3"}}));
}

TEST(StrategicMerge, DeletesAndAddsByDirective) {
  const auto out = strategic_merge_patch(pod(), parse(R"({"spec":{"containers":[{"name":"c1","env":[
      {"name":"B","$patch":"delete"},{"name":"C","value":"3"}]}]}})"));
  ASSERT_TRUE(out);
  EXPECT_EQ((*out)["spec"]["containers"][0]["env"],
            parse(R"([{"name":"C","value":"3"},{"name":"A","value":"1"}])"));
}

TEST(StrategicMerge, HonoursOrderReplaceAndPrimitiveLists) {
  const auto ordered = strategic_merge_patch(
      pod(), parse(R"({"spec":{"$setElementOrder/containers":[{"name":"c2"},{"name":"c1"}],
                       "containers":[{"name":"c1","image":"n"}]}})"));
  EXPECT_EQ((*ordered)["spec"]["containers"][0]["name"], "c2");
  const auto replaced =
      strategic_merge_patch(pod(), parse(
                                       R"({"spec":{"containers":[{"name":"c1","args":["q"],
              "env":[{"$patch":"replace"},{"name":"Z","value":"9"}]}]}})"));
  EXPECT_EQ((*replaced)["spec"]["containers"][0]["env"], parse(R"([{"name":"Z","value":"9"}])"));
  EXPECT_EQ((*replaced)["spec"]["containers"][0]["args"], parse(R"(["q"])"));
  const auto keyless =
      strategic_merge_patch(pod(), parse(R"({"spec":{"containers":[{"image":"x"}]}})"));
  EXPECT_FALSE(keyless);
}

TEST(StrategicMerge, RefusesADirectiveThatIsNoString) {
  for (const char* patch : {R"({"spec":{"$patch":5}})", R"({"metadata":{"x":{"$patch":{}}}})",
                            R"({"spec":{"containers":[{"name":"a","$patch":1}]}})"}) {
    const auto result = strategic_merge_patch(pod(), parse(patch));
    ASSERT_FALSE(result) << patch;
    EXPECT_EQ(result.error().code, Code::kBadRequest);
  }
}

constexpr int kMany = 20'000;  // work of its square takes seconds to minutes

std::string numbered(int i) { return "n" + std::to_string(i); }

// [make(0), … make(kMany - 1)], or the other way round.
Json many(const std::function<Json(int)>& make, bool reversed = false) {
  Json out = Json::array();
  for (int i = 0; i < kMany; ++i) out.push_back(make(reversed ? kMany - 1 - i : i));
  return out;
}

Json named(int i) { return {{"name", numbered(i)}}; }

Json merged(const Json& object, const Json& patch) {
  return strategic_merge_patch(object, patch).value();
}

TEST(StrategicMerge, LongSetsMergeWithoutRepeats) {
  const Json live{{"finalizers", many(numbered)}};
  Json expected = many(numbered);
  for (int i = kMany; i < kMany + kMany / 2; ++i) expected.push_back(numbered(i));
  const Json patch{{"finalizers", many([](int i) { return numbered(kMany / 2 + i); })}};
  EXPECT_TRUE(merged(live, patch)["finalizers"] == expected);
}

TEST(StrategicMerge, LongListsMergeByKeyAndFollowTheOrder) {
  const Json live{{"env", many(named)}};
  const Json patch{
      {"env", many([](int i) { return Json{{"name", numbered(i)}, {"value", i}}; }, true)},
      {"$setElementOrder/env", many(named, true)}};
  const Json out = merged(live, patch)["env"];
  ASSERT_EQ(out.size(), static_cast<std::size_t>(kMany));
  EXPECT_EQ(out.front(), (Json{{"name", numbered(kMany - 1)}, {"value", kMany - 1}}));
  EXPECT_EQ(out.back(), (Json{{"name", numbered(0)}, {"value", 0}}));
}

TEST(StrategicMerge, LongListsLoseWhatThePatchDeletes) {
  const Json live{{"env", many(named)}, {"args", many(numbered)}};
  const auto deletion = [](int i) { return Json{{"name", numbered(i)}, {"$patch", "delete"}}; };
  Json patch{{"env", many(deletion, true)},
             {"$deleteFromPrimitiveList/args", many(numbered, true)}};
  EXPECT_EQ(merged(live, patch), parse(R"({"env":[],"args":[]})"));
}

TEST(StrategicMerge, RetainsManyKeys) {
  Json live = Json::object();
  for (int i = 0; i < kMany; ++i) live[numbered(i)] = i;
  const Json all{{"$retainKeys", many(numbered, true)}};
  EXPECT_TRUE(merged(live, all) == live);
  EXPECT_EQ(merged(live, parse(R"({"$retainKeys":["n5","n5",6,"x"]})")), parse(R"({"n5":5})"));
}

TEST(StrategicMerge, ItemsOfOneKeyAreTakenInTurn) {
  const Json live = parse(R"({"env":[{"name":"a","v":1},{"v":2},{"name":"a","v":3},7]})");
  const auto with_env = [](const char* list) { return Json{{"env", parse(list)}}; };
  EXPECT_EQ(merged(live, with_env(R"([{"name":"a","$patch":"delete"},{"name":"a","v":4}])")),
            with_env(R"([{"v":2},{"name":"a","v":4},7])"));
  EXPECT_EQ(merged(live, with_env(R"([{"name":null,"v":5}])")),
            with_env(R"([{"name":"a","v":1},{"v":5},{"name":"a","v":3},7])"));
}

TEST(StrategicMerge, EqualNumbersAreOneItem) {
  const Json live = parse(R"({"finalizers":[1,[2.0],9007199254740993],"x":[1,2.5,3e0,-0.0]})");
  const Json patch = parse(R"({"finalizers":[1.0,[2],9007199254740992],
                               "$deleteFromPrimitiveList/x":[1.0,2.5,3,0]})");
  EXPECT_EQ(merged(live, patch),
            parse(R"({"finalizers":[1,[2.0],9007199254740993,9007199254740992],"x":[]})"));
}

TEST(JsonPatch, BoundsTheItemsItShifts) {
  const Json object{{"list", std::vector<int>(200'000)}};
  const auto repeated = [](const char* operation) {
    return Json(std::vector<Json>(10'000, parse(operation)));
  };
  for (const char* operation :
       {R"({"op":"remove","path":"/list/0"})", R"({"op":"add","path":"/list/0","value":1})",
        R"({"op":"copy","from":"/list/9","path":"/list/1"})",
        R"({"op":"move","from":"/list/0","path":"/list/-"})"}) {
    const auto refused = json_patch(object, repeated(operation));
    ASSERT_FALSE(refused) << operation;
    EXPECT_EQ(refused.error().code, Code::kTooLarge) << operation;
  }
  const Json removal = parse(R"({"op":"remove","path":"/list/0"})");
  EXPECT_TRUE(json_patch(object, Json(std::vector<Json>(10, removal))));
  for (const char* operation : {R"({"op":"add","path":"/list/-","value":1})",
                                R"({"op":"replace","path":"/list/0","value":1})"}) {
    EXPECT_TRUE(json_patch(object, repeated(operation))) << operation;
  }
}

TEST(JsonPatch, BoundsWhatItCopies) {
  Json patch = Json::array();
  // Each pair of copies trebles the object.
  for (int i = 0; i < 12; ++i) {
    patch.push_back({{"op", "copy"}, {"from", ""}, {"path", "/x"}});
    patch.push_back({{"op", "copy"}, {"from", ""}, {"path", "/y"}});
  }
  EXPECT_EQ(json_patch(pod(), patch).error().code, Code::kTooLarge);
  const auto once = json_patch(pod(), parse(R"([{"op":"copy","from":"/metadata","path":"/x"}])"));
  ASSERT_TRUE(once);
  EXPECT_EQ((*once)["x"], pod()["metadata"]);
}

TEST(JsonPatch, BoundsHowDeepItNests) {
  std::string path;
  Json patch = Json::array();
  for (int i = 0; i < 300; ++i) {
    path += "/a";
    patch.push_back({{"op", "add"}, {"path", path}, {"value", Json::object()}});
  }
  EXPECT_EQ(json_patch(pod(), patch).error().code, Code::kInvalid);
}

TEST(JsonPatch, RefusesPathsIntoWhatHoldsNothing) {
  const Json object = parse(R"({"n":5,"s":"x","z":null,"l":[{"a":1},2]})");
  for (const char* operation :
       {R"({"op":"add","path":"/n/b","value":1})", R"({"op":"add","path":"/s/0","value":1})",
        R"({"op":"add","path":"/z/b","value":1})", R"({"op":"remove","path":"/n/b"})",
        R"({"op":"copy","from":"/l","path":"/s/b"})", R"({"op":"move","from":"/l","path":"/n/b"})",
        // Once the first item is taken, the path names what was the second.
        R"({"op":"move","from":"/l/0","path":"/l/0/b"})"}) {
    const auto patched = json_patch(object, Json::array({parse(operation)}));
    ASSERT_FALSE(patched) << operation;
    EXPECT_EQ(patched.error().code, Code::kInvalid) << operation;
  }
  const auto moved = json_patch(object, parse(R"([{"op":"move","from":"/l/0/a","path":"/l/1"}])"));
  EXPECT_EQ(moved.value()["l"], parse("[{},1,2]"));
  EXPECT_EQ(json_patch(object, parse(R"([{"op":"move","from":"/l"}])")).error().code,
            Code::kBadRequest);
}

TEST(JsonPatch, TellsAFailedTestFromAMalformedPatch) {
  EXPECT_EQ(json_patch(pod(), parse(R"([{"op":"test","path":"/metadata/name","value":"q"}])"))
                .error()
                .code,
            Code::kInvalid);
  EXPECT_EQ(json_patch(pod(), parse(R"([{"op":"dance","path":"/x"}])")).error().code,
            Code::kBadRequest);
  EXPECT_EQ(json_patch(pod(), parse(R"({})")).error().code, Code::kBadRequest);
}

const char* const kSchema =
    R"({"type":"object","required":["spec"],"properties":{"spec":{"type":"object",
  "required":["name"],"properties":{"name":{"type":"string","pattern":"^[a-z]+$","maxLength":5},
  "size":{"type":"integer","minimum":1,"default":3},"mode":{"type":"string","enum":["fast","slow"]},
  "port":{"x-kubernetes-int-or-string":true},
  "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
  "list":{"type":"array","items":{"type":"object","properties":{"a":{"type":"string"}}}}}}}})";

TEST(Schema, NamesTheFieldOfEveryError) {
  const auto errors = validate(
      parse(kSchema),
      parse(R"({"spec":{"name":"TOOLONG","size":0,"mode":"fsat","port":true,"list":[{"a":1}]}})"));
  std::vector<std::string> fields;
  fields.reserve(errors.size());
  for (const auto& error : errors) fields.push_back(error.field);
  EXPECT_THAT(fields, testing::UnorderedElementsAre("spec.name", "spec.name", "spec.size",
                                                    "spec.mode", "spec.port", "spec.list[0].a"));
  EXPECT_EQ(validate(parse(kSchema), parse(R"({"spec":{}})")).front().field, "spec.name");
}

TEST(Schema, ChecksTheFormatsOfTexts) {
  const auto fits = [](const char* format, const char* text) {
    return validate({{"type", "string"}, {"format", format}}, text).empty();
  };
  EXPECT_TRUE(fits("date-time", "2026-11-21T10:00:00Z"));
  EXPECT_FALSE(fits("date-time", "yesterday"));
  EXPECT_TRUE(fits("date", "2026-11-21"));
  EXPECT_FALSE(fits("date", "2026-11-21T10:00:00Z"));
  EXPECT_TRUE(fits("byte", "aGVsbG8="));
  EXPECT_FALSE(fits("byte", "not base64!!"));
  EXPECT_TRUE(fits("ipv4", "10.0.0.1"));
  EXPECT_FALSE(fits("ipv4", "10.0.0.256"));
  EXPECT_TRUE(fits("ipv6", "::1"));
  EXPECT_TRUE(fits("uuid", "123e4567-e89b-12d3-a456-426614174000"));
  EXPECT_FALSE(fits("uuid", "123e4567-e89b-12d3-a456-42661417400"));
  EXPECT_TRUE(fits("of-another-world", "anything"));
}

TEST(Schema, SuggestsTheNearestEnumValue) {
  const auto errors = validate(parse(kSchema), parse(R"({"spec":{"name":"a","mode":"fsat"}})"));
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_THAT(errors[0].message, testing::HasSubstr("did you mean \"fast\""));
}

TEST(Schema, ReadsPatternsAsKubernetesDoes) {
  const auto matches = [](const char* pattern, const Json& text) {
    return validate(Json{{"type", "string"}, {"pattern", pattern}}, text).empty();
  };
  const char* const ref = R"(^([^-/\s~^:?*\[\\\x00-\x1f\x7f][^\s~^:?*\[\\\x00-\x1f\x7f]*)?$)";
  for (const char* text : {"main", "v1.0", "feature/x-1", "0f"}) EXPECT_TRUE(matches(ref, text));
  for (const char* text : {"-x", "/x", "a b", "a\\b", "a[0"}) EXPECT_FALSE(matches(ref, text));
  EXPECT_TRUE(matches(R"(^(?:0(\.\d+)?|1)$)", "0.25"));
  EXPECT_FALSE(matches(R"(^(?:0(\.\d+)?|1)$)", "0.x"));
  EXPECT_FALSE(matches(R"(^[^\x00-\x1f\x7f]+$)", std::string("a\0b", 3)));
}

TEST(Schema, IntegersAreThoseThatFitOne) {
  const Json schema{{"type", "integer"}};
  for (const double number : {3.0, -9e18}) EXPECT_TRUE(validate(schema, number).empty()) << number;
  for (const double number : {3.5, 1e300, 1e19}) EXPECT_FALSE(validate(schema, number).empty());
}

TEST(Schema, ATypeThatIsNoStringJudgesNothing) {
  EXPECT_TRUE(validate(Json{{"type", 5}}, nullptr).empty());
  EXPECT_FALSE(validate(Json{{"type", "object"}}, nullptr).empty());
}

TEST(Schema, DefaultsAndPrunes) {
  Json value = parse(R"({"spec":{"name":"a","extra":1,"free":{"x":1},"list":[{"a":"b","c":1}]}})");
  ASSERT_TRUE(apply_defaults(parse(kSchema), value));
  EXPECT_EQ(value["spec"]["size"], 3);
  EXPECT_THAT(prune_unknown(parse(kSchema), value),
              testing::UnorderedElementsAre("spec.extra", "spec.list[0].c"));
  EXPECT_EQ(value["spec"]["free"]["x"], 1);
}

TEST(Schema, PatternsMayNameCharactersByNumber) {
  const Json schema = parse(R"({"type":"string","pattern":"^[^\\x00-\\x1f\\x7f]+$"})");
  EXPECT_TRUE(validate(schema, "folder/x01f7.py").empty());
  EXPECT_FALSE(validate(schema, "bell\x07").empty());
  EXPECT_FALSE(validate(schema, "delete\x7f").empty());
}

TEST(Schema, AnEmptyEnumIsNone) {
  EXPECT_TRUE(validate(parse(R"({"type":"string","enum":[]})"), "x").empty());
}

// What is wrong with the schema of a field "f", a line each, without the path to it.
std::string schema_faults(std::string_view field) {
  const Json schema{{"type", "object"}, {"properties", {{"f", parse(field)}}}};
  const std::string path = "s.properties[f]";
  std::string out;
  for (const FieldError& error : check_schema(schema, "s")) {
    EXPECT_TRUE(error.field.starts_with(path)) << error.field;
    out += error.field.substr(path.size()) + ": " + error.message + "\n";
  }
  return out;
}

TEST(SchemaRules, RefuseATypeThatIsNone) {
  EXPECT_EQ(schema_faults(R"({"type":"strng"})"),
            ".type: Unsupported value: \"strng\": supported values: \"array\", \"boolean\", "
            "\"integer\", \"number\", \"object\", \"string\"\n");
  EXPECT_EQ(schema_faults(R"({"type":5})"),
            ".type: Invalid value: \"integer\": s.properties[f].type in body must be of type "
            "string: \"integer\"\n");
  EXPECT_EQ(schema_faults("{}"),
            ".type: Required value: must not be empty for specified object fields\n");
}

TEST(SchemaRules, RefuseKeywordsOfAnotherType) {
  using testing::HasSubstr;
  for (const auto& [schema, fault] : {
           std::pair(R"({"type":"object","properties":[]})",
                     ".properties: Invalid value: \"array\""),
           {R"({"type":"object","properties":{"a":7}})",
            ".properties[a]: Invalid value: \"integer\""},
           {R"({"type":"object","required":"a"})", ".required: Invalid value: \"string\""},
           {R"({"type":"object","required":["a",1]})", ".required[1]: Invalid value: \"integer\""},
           {R"({"type":"array","items":"string"})", ".items: Invalid value: \"string\""},
           {R"({"type":"string","enum":"a"})", ".enum: Invalid value: \"string\""},
           {R"({"type":"string","maxLength":"5"})", ".maxLength: Invalid value: \"string\""},
           {R"({"type":"string","maxLength":5.5})", ".maxLength: Invalid value: \"number\""},
           {R"({"type":"integer","minimum":"1"})", ".minimum: Invalid value: \"string\""},
           {R"({"type":"string","nullable":"true"})", ".nullable: Invalid value: \"string\""},
           {R"({"type":"string","anyOf":{}})", ".anyOf: Invalid value: \"object\""},
           {R"({"type":"string","not":[]})", ".not: Invalid value: \"array\""},
       }) {
    EXPECT_THAT(schema_faults(schema), HasSubstr(fault)) << schema;
  }
}

TEST(SchemaRules, RefuseWhatIsNotStructural) {
  using testing::HasSubstr;
  for (
      const auto& [schema, fault] : {
          std::pair(R"({"type":"array"})", ".items: Required value: must be specified"),
          {R"({"type":"array","items":[{"type":"string"}]})",
           ".items: Forbidden: items must be a schema object and not an array"},
          {R"({"type":"array","items":{}})",
           ".items.type: Required value: must not be empty for specified array items"},
          {R"({"$ref":"#/x","type":"string"})", ".$ref: Forbidden: $ref is not supported"},
          {R"({"type":"array","items":{"type":"string"},"uniqueItems":true})",
           ".uniqueItems: Forbidden"},
          {R"({"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false})",
           ".additionalProperties: Forbidden"},
          {R"({"type":"object","x-kubernetes-preserve-unknown-fields":false})",
           ".x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true"},
          {R"({"type":"string","oneOf":[{"type":"string"}]})",
           ".oneOf[0].type: Forbidden: must be empty to be structural"},
          {R"({"type":"object","not":{"properties":{"a":{"default":1}}}})",
           ".not.properties[a].default: Forbidden: must be undefined to be structural"},
      }) {
    EXPECT_THAT(schema_faults(schema), HasSubstr(fault)) << schema;
  }
}

TEST(SchemaRules, RefuseAPatternThatIsNone) {
  EXPECT_THAT(schema_faults(R"({"type":"string","pattern":"["})"),
              testing::StartsWith(".pattern: Invalid value: \"[\": must be a valid regular "
                                  "expression, but isn't: "));
  EXPECT_THAT(schema_faults(R"({"type":"string","allOf":[{"pattern":"(?=x)y"}]})"),
              testing::StartsWith(".allOf[0].pattern: Invalid value"));
  EXPECT_EQ(schema_faults(R"({"type":"string","pattern":"^(a[^\\s]{1,63})+$"})"), "");
}

TEST(SchemaRules, RefuseKeysOfListsThatHaveNone) {
  const auto list = [](const std::string& rest) {
    return schema_faults(R"({"type":"array","items":{"type":"object","required":["a"],
      "properties":{"a":{"type":"string"},"b":{"type":"string"},
      "c":{"type":"string","default":"x"}}},)" +
                         rest + "}");
  };
  const std::string map = R"("x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":)";
  EXPECT_EQ(list(map + R"(["a","c"])"), "");
  EXPECT_THAT(list(map + R"(["b"])"),
              testing::StartsWith(".items.properties[b].default: Required value"));
  EXPECT_THAT(list(map + R"(["z"])"), testing::HasSubstr("entries must all be names of item"));
  EXPECT_THAT(list(map + "[]"), testing::StartsWith(".x-kubernetes-list-map-keys: Required"));
  EXPECT_THAT(list(R"("x-kubernetes-list-map-keys":["a"])"),
              testing::StartsWith(".x-kubernetes-list-type: Required value"));
  EXPECT_THAT(list(R"("x-kubernetes-list-type":"bag")"),
              testing::StartsWith(".x-kubernetes-list-type: Unsupported value: \"bag\""));
  EXPECT_THAT(schema_faults(R"({"type":"string","x-kubernetes-list-type":"set"})"),
              testing::StartsWith(".type: Invalid value: \"string\": must be array"));
  EXPECT_THAT(schema_faults(R"({"type":"string","x-kubernetes-map-type":"atomic"})"),
              testing::StartsWith(".type: Invalid value: \"string\": must be object"));
}

// As cert-manager's, Knative's and others' are written.
TEST(SchemaRules, TakeWhatKubernetesTakes) {
  for (const char* schema : {
           R"({"x-kubernetes-int-or-string":true})",
           R"({"x-kubernetes-int-or-string":true,"anyOf":[{"type":"integer"},{"type":"string"}],
              "pattern":"^[0-9]+%?$"})",
           R"({"x-kubernetes-int-or-string":true,"allOf":[{"anyOf":[{"type":"integer"},
              {"type":"string"}]},{"pattern":"^x"}]})",
           R"({"x-kubernetes-preserve-unknown-fields":true})",
           R"({"type":"object","x-kubernetes-preserve-unknown-fields":true,"nullable":true})",
           R"({"type":"object","additionalProperties":{"type":"string"},"maxProperties":9})",
           R"({"type":"object","additionalProperties":true,"properties":{"a":{"type":"string"}}})",
           R"({"type":"object","x-kubernetes-embedded-resource":true,
              "x-kubernetes-preserve-unknown-fields":true})",
           R"({"type":"object","properties":{"a":{"type":"string"},"type":{"type":"string"}},
              "oneOf":[{"required":["a"]},{"required":["type"]}],
              "not":{"required":["a","type"]},
              "anyOf":[{"properties":{"a":{"minLength":1,"enum":["x"]}}}]})",
           R"({"type":"string","format":"date-time","default":null,"example":"x","title":"t",
              "externalDocs":{"url":"u"},"enum":["a",""],"x-kubernetes-validations":[
              {"rule":"self != ''","message":"m"}]})",
           R"({"type":"integer","format":"int32","minimum":0,"maximum":2.5,"multipleOf":1,
              "exclusiveMinimum":true,"some-new-keyword":{"type":"strng"}})",
           R"({"type":"array","items":{"type":"string"},"x-kubernetes-list-type":"set",
              "minItems":1,"uniqueItems":false,"required":[]})",
       }) {
    EXPECT_EQ(schema_faults(schema), "") << schema;
  }
}

Json widgets(const std::string& versions) {
  return parse(R"({"metadata":{"name":"widgets.example.com"},"spec":{"group":"example.com",
    "scope":"Namespaced","names":{"plural":"widgets","kind":"Widget"},"versions":)" +
               versions + "}}");
}

std::string definition_fault(const Json& crd) {
  const Status checked = check_definition(crd);
  if (checked) return "";
  EXPECT_EQ(checked.error().code, Code::kInvalid);
  return checked.error().fields.front().field + ": " + checked.error().fields.front().message;
}

TEST(DefinitionRules, WantAnObjectAtTheRoot) {
  const auto root = [](const std::string& schema) {
    return definition_fault(
        widgets(R"([{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":)" +
                schema + "}}]"));
  };
  const std::string path = "spec.versions[0].schema.openAPIV3Schema";
  EXPECT_EQ(root(R"({"type":"object"})"), "");
  EXPECT_EQ(root(R"({"x-kubernetes-preserve-unknown-fields":true})"), "");
  EXPECT_EQ(root(R"({"type":"string"})"),
            path + ".type: Invalid value: \"string\": must be object at the root");
  EXPECT_EQ(root("{}"), path + ".type: Required value: must not be empty at the root");
  EXPECT_EQ(root("null"), path + ": Required value: schemas are required");
  EXPECT_THAT(root("[]"), testing::StartsWith(path + ": Invalid value: \"array\""));
  EXPECT_THAT(root(R"({"type":"object","nullable":true})"),
              testing::StartsWith(path + ".nullable: Forbidden"));
  EXPECT_THAT(root(R"({"type":"object","additionalProperties":true})"),
              testing::StartsWith(path + ".additionalProperties: Forbidden"));
}

TEST(DefinitionRules, WantOneVersionThatIsStored) {
  const auto version = [](const char* name, const char* storage) {
    return std::string(R"({"name":")") + name + R"(","served":true,"storage":)" + storage +
           R"(,"schema":{"openAPIV3Schema":{"type":"object"}}})";
  };
  const auto two = [&](const std::string& a, const std::string& b) {
    return definition_fault(widgets("[" + a + "," + b + "]"));
  };
  EXPECT_EQ(two(version("v1", "true"), version("v2", "false")), "");
  const char* one = "must have exactly one version marked as storage version";
  EXPECT_THAT(two(version("v1", "true"), version("v2", "true")), testing::EndsWith(one));
  EXPECT_THAT(two(version("v1", "false"), version("v2", "false")), testing::EndsWith(one));
  EXPECT_THAT(two(version("v1", "true"), version("v1", "false")),
              testing::EndsWith("must contain unique version names"));
  EXPECT_THAT(two(version("v1", "true"), version("V.2", "false")),
              testing::StartsWith("spec.versions[1].name: Invalid value: \"V.2\": a DNS-1035"));
  EXPECT_THAT(two(version("v1", "\"yes\""), version("v2", "true")),
              testing::StartsWith("spec.versions[0].storage: Invalid value: \"string\""));
}

TEST(DefinitionRules, WantAScope) {
  Json crd =
      widgets(R"([{"name":"v1","storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}])");
  EXPECT_EQ(definition_fault(crd), "");
  crd["spec"]["scope"] = "Cluster";
  EXPECT_EQ(definition_fault(crd), "");
  crd["spec"]["scope"] = "Galaxy";
  EXPECT_EQ(definition_fault(crd),
            "spec.scope: Unsupported value: \"Galaxy\": supported values: \"Cluster\", "
            "\"Namespaced\"");
  crd["spec"].erase("scope");
  EXPECT_EQ(definition_fault(crd), "spec.scope: Required value");
}

TEST(DefinitionRules, BearWrongTypesEverywhere) {
  Json crd = widgets(R"([{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{
    "type":"object","properties":{"a":{"type":"array","x-kubernetes-list-type":"map",
      "x-kubernetes-list-map-keys":["k"],"items":{"type":"object","required":["k"],
      "properties":{"k":{"type":"string","pattern":"x","enum":["x"]}}}},
    "b":{"x-kubernetes-int-or-string":true,"allOf":[{"anyOf":[{"type":"integer"},
      {"type":"string"}]}]},
    "c":{"type":"object","additionalProperties":{"type":"string","nullable":true}}},
    "not":{"properties":{"a":{"maxItems":1}}},"oneOf":[{"required":["a"]}]}}}])");
  EXPECT_EQ(definition_fault(crd), "");
  for (const Json& junk : {Json(), Json(true), Json(-1), Json(1.5), Json("\xff["), Json(""),
                           Json::array({nullptr, 1, "x"}), Json{{"", nullptr}}}) {
    replace_each(crd, junk, [&] {
      const Status checked = check_definition(crd);
      if (!checked) EXPECT_FALSE(checked.error().fields.empty());
    });
  }
}

TEST(DefinitionRules, KeepTheirAnswerSmall) {
  Json schema{{"type", "object"}, {"properties", Json::object()}};
  for (int i = 0; i < 1000; ++i) {
    schema["properties"][std::to_string(i)] = {{"type", std::string(1000, 'x')}};
  }
  EXPECT_EQ(check_schema(schema, "s").size(), 50U);
}

TEST(Condition, KeepsItsTransitionTimeWhileTheStatusStays) {
  Json object = Json::object();
  base::VirtualClock clock;
  EXPECT_TRUE(set_condition(object, {"Ready", "False", "Building", ""}, clock.wall()));
  const std::string first = object["status"]["conditions"][0]["lastTransitionTime"];
  clock.advance(std::chrono::minutes(1));
  EXPECT_TRUE(set_condition(object, {"Ready", "False", "Deploying", ""}, clock.wall()));
  EXPECT_EQ(object["status"]["conditions"][0]["lastTransitionTime"], first);
  EXPECT_FALSE(set_condition(object, {"Ready", "False", "Deploying", ""}, clock.wall()));
  EXPECT_TRUE(set_condition(object, {"Ready", "True", "", ""}, clock.wall()));
  EXPECT_NE(object["status"]["conditions"][0]["lastTransitionTime"], first);
}

}  // namespace
}  // namespace hearth::resource
