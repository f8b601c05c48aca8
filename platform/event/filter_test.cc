#include "platform/event/filter.h"

#include <gtest/gtest.h>

namespace hearth::event {
namespace {

CloudEvent sample() {
  CloudEvent event;
  event.id = "1";
  event.source = "/orders/7";
  event.type = "com.example.created";
  event.subject = "shop/pay";
  event.extensions = {{"count", "3"}};
  return event;
}

struct Row {
  const char* spec;
  bool passes;
};

class FilterTable : public testing::TestWithParam<Row> {};

TEST_P(FilterTable, DecidesAsKnative) {
  const auto filter = Filter::compile(*base::parse_json(GetParam().spec), {});
  ASSERT_TRUE(filter) << filter.error().message;
  EXPECT_EQ(filter->matches(sample()), GetParam().passes) << GetParam().spec;
  EXPECT_EQ(filter->explain(sample()).passes, GetParam().passes);
}

INSTANTIATE_TEST_SUITE_P(
    Table, FilterTable,
    testing::Values(
        Row{R"({})", true}, Row{R"({"filter":{}})", true},
        Row{R"({"filter":{"attributes":{"type":"com.example.created"}}})", true},
        Row{R"({"filter":{"attributes":{"type":"COM.example.created"}}})", false},
        Row{R"({"filter":{"attributes":{"type":"com.example.created","source":"x"}}})", false},
        Row{R"({"filter":{"attributes":{"type":"","count":"3"}}})", true},
        Row{R"({"filter":{"attributes":{"absent":""}}})", false},
        Row{R"({"filter":{"attributes":{"type":"x"}},"filters":[]})", false},
        Row{R"({"filter":{"attributes":{"type":"x"}},"filters":[{"prefix":{"type":"com."}}]})",
            true},
        Row{R"({"filters":[{"suffix":{"type":".created"}},{"exact":{"count":"3"}}]})", true},
        Row{R"({"filters":[{"suffix":{"type":".created"}},{"exact":{"count":"4"}}]})", false},
        Row{R"({"filters":[{"prefix":{"absent":"a"}}]})", false},
        Row{R"({"filters":[{"any":[{"exact":{"type":"x"}},{"exact":{"count":"3"}}]}]})", true},
        Row{R"({"filters":[{"any":[{"exact":{"type":"x"}},{"exact":{"count":"4"}}]}]})", false},
        Row{R"({"filters":[{"all":[{"prefix":{"type":"com"}},{"not":{"exact":{"id":"2"}}}]}]})",
            true},
        Row{R"({"filters":[{"not":{"exact":{"id":"1"}}}]})", false},
        Row{R"({"filters":[{"not":{}}]})", true}, Row{R"({"filters":[{"all":[]}]})", true}));

TEST(Filter, RefusesWhatCannotBeBuilt) {
  const auto code = [](const char* spec) {
    const auto filter = Filter::compile(*base::parse_json(spec), {});
    return filter ? Code::kInternal : filter.error().code;
  };
  for (const char* key : {"SOURCE", "s pace s", "s_pace", "s-pace", "123", "!"}) {
    const std::string spec = R"({"filter":{"attributes":{")" + std::string(key) + R"(":"x"}}})";
    EXPECT_EQ(code(spec.c_str()), Code::kInvalid) << key;
  }
  EXPECT_EQ(code(R"({"filters":[{"exact":{"type":"a"},"prefix":{"type":"a"}}]})"), Code::kInvalid);
  EXPECT_EQ(code(R"({"filters":[{"exact":{"type":""}}]})"), Code::kInvalid);
  EXPECT_EQ(code(R"({"filters":[{"exactly":{"type":"a"}}]})"), Code::kInvalid);
  EXPECT_EQ(code(R"({"filters":[{"cesql":"type = 'a'"}]})"), Code::kUnsupported);
}

TEST(Filter, TakesAThousandFiltersAndAttributes) {
  const auto compile = [](const Json& spec) { return Filter::compile(spec, {}); };
  const auto attributes = [](int count) {
    Json map = Json::object();
    for (int i = 0; i < count; ++i) map["a" + std::to_string(i)] = "x";
    return map;
  };
  const auto legacy = [&](int count) {
    return Json{{"filter", {{"attributes", attributes(count)}}}};
  };
  EXPECT_TRUE(compile(legacy(999)));
  const auto refused = compile(legacy(1'000));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(refused.error().message,
            "spec.filter.attributes: has 1001 filters and attributes; at most 1000 are taken");
  const auto list = [&](std::size_t count) {
    const Json nested{{"not", {{"prefix", attributes(1)}}}};
    return Json{{"filters", {{{"any", Json(count, nested)}}}}};
  };
  EXPECT_TRUE(compile(list(499)));
  EXPECT_EQ(compile(list(500)).error().fields.at(0).field, "spec.filters");
}

TEST(Filter, TakesBothFormsOfAFunctionSubject) {
  const Json spec{{"filter", {{"attributes", {{"subject", "pay"}}}}}};
  EXPECT_FALSE(Filter::compile(spec, {})->matches(sample()));
  const auto filter = Filter::compile(spec, {.subject_namespace = "shop"});
  EXPECT_TRUE(filter->matches(sample()));
  CloudEvent event = sample();
  event.subject = "pay";
  EXPECT_TRUE(filter->matches(event));
  event.subject = "other/pay";
  EXPECT_FALSE(filter->matches(event));
}

TEST(Filter, ExplainsNearMisses) {
  const Json spec{{"filter", {{"attributes", {{"type", "com.example.*"}}}}}};
  const Verdict verdict = Filter::compile(spec, {})->explain(sample());
  EXPECT_FALSE(verdict.passes);
  EXPECT_EQ(verdict.clause, "exact type");
  EXPECT_NE(verdict.reason.find("no wildcards"), std::string::npos) << verdict.reason;
}

}  // namespace
}  // namespace hearth::event
