#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/resource/condition.h"
#include "platform/resource/definition.h"
#include "platform/resource/patch.h"
#include "platform/resource/schema.h"
#include "platform/resource/selector.h"

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
  apply_defaults(parse(kSchema), value);
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
