#include "platform/resource/schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <re2/re2.h>

#include "platform/resource/schema_patterns.h"

namespace hearth::resource {
namespace {

using testing::HasSubstr;

Json parse(std::string_view text) { return base::parse_json(text).value(); }

std::vector<FieldError> faults(std::string_view schema, std::string_view value) {
  return validate(parse(schema), parse(value));
}

TEST(SchemaDefaults, TakePropertiesThatAreNoObjectForAbsent) {
  const Json schema = parse(R"({"properties":[{"properties":{"a":{"properties":{"b":{"default":1}}}}
    }],"additionalProperties":{"properties":{"a":{"default":{}}}}})");
  Json value = parse(R"({"0":{}})");
  ASSERT_TRUE(apply_defaults(schema, value));
  EXPECT_EQ(value, parse(R"({"0":{"a":{}}})"));
  for (const char* properties : {"5", "\"x\"", "null", "[]"}) {
    Json other = parse(R"({"b":{},"c":1})");
    const std::string text = std::string(R"({"type":"object","properties":)") + properties + "}";
    ASSERT_TRUE(apply_defaults(parse(text), other));
    EXPECT_TRUE(validate(parse(text), other).empty());
    EXPECT_THAT(prune_unknown(parse(text), other), testing::ElementsAre("b", "c")) << text;
  }
}

TEST(SchemaDefaults, ThatMultiplyAreRefused) {
  Json schema = Json::object();
  for (int i = 0; i < 8; ++i) {
    Json list{{"default", Json(8, Json::object())}, {"items", std::move(schema)}};
    schema = {{"properties", {{"a", std::move(list)}}}};
  }
  Json value = Json::object();
  const Status filled = apply_defaults(schema, value);
  ASSERT_FALSE(filled);
  EXPECT_EQ(filled.error().code, Code::kTooLarge);
  EXPECT_THAT(filled.error().message, HasSubstr("defaults of its schema would add more than"));
}

TEST(SchemaDefaults, ThatManyItemsRepeatAreRefused) {
  const auto fill = [](std::size_t items, const Json& fallback) {
    const Json schema{{"items", {{"properties", {{"a", {{"default", fallback}}}}}}}};
    Json value(items, Json::object());
    return apply_defaults(schema, value);
  };
  EXPECT_TRUE(fill(1'000, Json(10, "x")));
  EXPECT_FALSE(fill(20'000, Json(1'000, "x")));
  EXPECT_FALSE(fill(100, std::string(100'000, 'x')));
  EXPECT_FALSE(fill(100, Json{{std::string(100'000, 'x'), 1}}));
  EXPECT_TRUE(fill(10, std::string(100'000, 'x')));
}

TEST(SchemaDefaults, AreNotSoughtForEverInVain) {
  Json properties = Json::object();
  for (int i = 0; i < 4'000; ++i) properties["p" + std::to_string(i)] = Json::object();
  const Json schema{{"items", {{"properties", std::move(properties)}}}};
  Json few(100, Json::object());
  EXPECT_TRUE(apply_defaults(schema, few));
  Json many(4'000, Json::object());
  EXPECT_THAT(apply_defaults(schema, many).error().message, HasSubstr("too many objects"));
}

TEST(SchemaPruning, TellsOfTheFirstHundredFieldsAndRemovesAll) {
  Json value = Json::object();
  for (int i = 0; i < 150; ++i) value[std::string(100'000, 'k')]["f" + std::to_string(i)] = 1;
  const Json schema{{"additionalProperties", {{"type", "object"}}}};
  const auto unknown = prune_unknown(schema, value);
  ASSERT_EQ(unknown.size(), 100U);
  for (const std::string& path : unknown) EXPECT_LT(path.size(), 2'000U);
  EXPECT_EQ(value.front(), Json::object());
}

TEST(Schema, PathsNameFieldsAndItems) {
  const auto errors = faults(R"({"properties":{"a":{"items":{"items":{"properties":{"b":
    {"type":"string"}}}}}}})",
                             R"({"a":[[],[{},{"b":1}]]})");
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].field, "a[1][1].b");
  EXPECT_EQ(errors[0].message,
            "Invalid value: \"integer\": a[1][1].b in body must be of type string: \"integer\"");
}

TEST(Schema, MessagesShowTheBeginningOfWhatIsLong) {
  const std::string text(200'000, 'x');
  for (const Json& schema :
       {Json{{"enum", {text + "y"}}}, Json{{"type", text}}, Json{{"minLength", 1'000'000}},
        Json{{"pattern", "^" + std::string(8'000, 'y')}}, Json{{"format", "date"}},
        Json{{"not", Json::object()}}}) {
    const auto errors = validate({{"additionalProperties", schema}}, {{text, text}});
    ASSERT_EQ(errors.size(), 1U) << schema.begin().key();
    EXPECT_LT(errors[0].field.size(), 2'000U);
    EXPECT_LT(errors[0].message.size(), 4'000U) << schema.begin().key();
  }
}

TEST(Schema, ShowsTheFirstTwentyOptionsOfAnEnum) {
  Json options = Json::array();
  for (int i = 0; i < 20; ++i) options.push_back(i);
  EXPECT_THAT(validate({{"enum", options}}, "x")[0].message, testing::EndsWith(", 18, 19"));
  for (int i = 20; i < 4'000; ++i) options.push_back(i);
  EXPECT_THAT(validate({{"enum", options}}, "x")[0].message,
              testing::EndsWith(", 18, 19, … 3980 more"));
  EXPECT_TRUE(validate({{"enum", options}}, 3'999).empty());
}

TEST(Schema, TellsFiftyErrorsAtMost) {
  Json names = Json::array();
  for (int i = 0; i < 1'000; ++i) names.push_back("n" + std::to_string(i));
  EXPECT_EQ(validate({{"required", names}}, Json::object()).size(), 50U);
  EXPECT_EQ(validate({{"items", {{"type", "string"}}}}, Json(1'000, 1)).size(), 50U);
}

TEST(Schema, RefusesWhatWouldTakeTooLongToCheck) {
  const Json schema{{"allOf", Json(600, Json{{"maxLength", 5'000'000}})}};
  EXPECT_TRUE(validate(schema, std::string(100'000, 'x')).empty());
  const auto errors = validate(schema, std::string(1'000'000, 'x'));
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].reason, "FieldValueForbidden");
  EXPECT_THAT(invalid_object("Thing", "x", errors).message,
              testing::StartsWith("Thing \"x\" is invalid: Forbidden: checking it takes too long"));
}

TEST(Schema, CombinationsLookNoFurtherThanTheyMust) {
  const Json any{{"items", {{"anyOf", Json(4'000, Json::object())}}}};
  EXPECT_TRUE(validate(any, Json(4'000, 0)).empty());
  const Json one{{"items", {{"oneOf", Json(4'000, Json::object())}}}};
  const auto errors = validate(one, Json(4'000, 0));
  ASSERT_EQ(errors.size(), 50U);
  EXPECT_THAT(errors[0].message, HasSubstr("one and only one"));
}

// As go-openapi's validation, which API servers use.
TEST(Schema, CombinationsOfNothingRuleNothing) {
  for (const char* schema : {R"({"anyOf":[]})", R"({"anyOf":null})", R"({"anyOf":"x"})",
                             R"({"oneOf":[]})", R"({"oneOf":null})", R"({"not":null})",
                             R"({"not":[]})", R"({"allOf":[]})", R"({"allOf":{"a":{"not":{}}}})",
                             R"({"required":"x"})", R"({"enum":[]})", R"({"items":5})"}) {
    EXPECT_TRUE(faults(schema, R"({"a":1})").empty()) << schema;
    EXPECT_TRUE(faults(schema, "[1]").empty()) << schema;
  }
  EXPECT_FALSE(faults(R"({"not":{}})", "1").empty());
  EXPECT_FALSE(faults(R"({"oneOf":[{},{}]})", "1").empty());
  EXPECT_TRUE(faults(R"({"oneOf":[{},{"type":"string"}]})", "1").empty());
}

TEST(Schema, BoundsMayBeNegative) {
  EXPECT_TRUE(faults(R"({"minLength":-1,"minItems":-1})", R"("x")").empty());
  EXPECT_TRUE(faults(R"({"minLength":-1,"minItems":-1})", "[]").empty());
  EXPECT_FALSE(faults(R"({"maxLength":-1})", R"("")").empty());
  EXPECT_FALSE(faults(R"({"maxItems":-1})", "[]").empty());
  EXPECT_TRUE(faults(R"({"minLength":18446744073709551615})", R"("x")").empty());
}

TEST(Schema, PatternsBeyondTheBoundsJudgeNothing) {
  std::string large = "(0|1)*1";
  for (int i = 0; i < 30; ++i) large += "(0|1){1000}";
  std::string larger;
  for (int i = 0; i < 24; ++i) larger += large;
  for (const std::string& pattern : {larger, std::string(10'000, 'y'), std::string("(")}) {
    EXPECT_TRUE(validate({{"pattern", pattern}}, std::string(60'000, '2')).empty());
  }
  EXPECT_FALSE(validate({{"pattern", "^.{0,1000}$"}}, std::string(1'001, 'x')).empty());
  EXPECT_TRUE(validate({{"pattern", "^.{0,1000}$"}}, std::string(1'000, 'x')).empty());
}

TEST(Schema, PatternsCostWhatTheirSlowestMatchTakes) {
  const Json schema{{"pattern", "[01]*1[01]{900}[01]{900}2"}};
  EXPECT_THAT(validate(schema, std::string(1'000'000, '1'))[0].message,
              HasSubstr("takes too long"));
  EXPECT_THAT(validate(schema, std::string(10'000, '1'))[0].message, HasSubstr("should match"));
}

TEST(Schema, PatternsThatMatchFastMayJudgeManyTexts) {
  const Json schema{{"items", {{"type", "string"}, {"pattern", "^.{1,1000}$"}}}};
  Json texts = Json::array();
  for (int i = 0; i < 1'000; ++i) texts.push_back(std::string(999, 'x'));
  EXPECT_TRUE(validate(schema, texts).empty());
}

TEST(PatternCache, HoldsAFewPatterns) {
  PatternCache cache;
  for (int i = 0; i < 1'000; ++i) {
    const auto found = cache.find("^" + std::to_string(i) + "$");
    ASSERT_NE(found.compiled, nullptr);
    EXPECT_TRUE(found.is_new);
    EXPECT_TRUE(re2::RE2::PartialMatch(std::to_string(i), *found.compiled));
  }
  EXPECT_EQ(cache.memory_bytes(), PatternCache::kAllMemoryBytesMax);
  EXPECT_FALSE(cache.find("^999$").is_new);
  EXPECT_EQ(cache.find("(").compiled, nullptr);
  EXPECT_FALSE(cache.find("(").is_new);
}

TEST(PatternCache, LargePatternsTakeThePlaceOfMany) {
  PatternCache cache;
  for (int i = 0; i < 20; ++i) {
    const auto found = cache.find("^\\p{L}{1,6" + std::to_string(i % 10) + "}" + std::to_string(i));
    ASSERT_NE(found.compiled, nullptr);
    EXPECT_FALSE(re2::RE2::PartialMatch("1/!", *found.compiled));
  }
  EXPECT_EQ(cache.memory_bytes(), PatternCache::kAllMemoryBytesMax);
}

TEST(PatternCache, APatternOutlivesItsPlace) {
  PatternCache cache;
  const auto first = cache.find("^a+$").compiled;
  for (int i = 0; i < 1'000; ++i) (void)cache.find(std::to_string(i));
  EXPECT_TRUE(re2::RE2::PartialMatch("aaa", *first));
}

}  // namespace
}  // namespace hearth::resource
