// What the command line makes of text: jsonpath templates, tables, values of flags, field names.
#include <sstream>

#include <gtest/gtest.h>

#include "cli/field_hint.h"
#include "cli/flag_values.h"
#include "cli/json_template.h"
#include "cli/server_table.h"
#include "cli/text_table.h"

namespace hearth::cli {
namespace {

const Json& sample() {
  static const Json value = Json::parse(R"({
    "metadata": {"name": "x", "labels": {"a.b/c": "dotted"}},
    "items": [{"n": 1, "type": "Ready", "status": "True"}, {"n": 2, "type": "Other"}]
  })");
  return value;
}

std::string rendered(const std::string& text) {
  const auto out = render_json_template(text, sample());
  return out ? *out : "error: " + out.error().message;
}

TEST(JsonTemplate, RendersFieldsAndLiterals) {
  EXPECT_EQ(rendered("{.metadata.name}"), "x");
  EXPECT_EQ(rendered(".metadata.name"), "x");
  EXPECT_EQ(rendered("name={.metadata.name}{\"\\n\"}"), "name=x\n");
  EXPECT_EQ(rendered("{.metadata.labels['a.b/c']}"), "dotted");
}

TEST(JsonTemplate, PrintsNothingForWhatIsNotThere) { EXPECT_EQ(rendered("{.nothing.here}"), ""); }

TEST(JsonTemplate, RangesIndexesAndFilters) {
  EXPECT_EQ(rendered("{.items[1].n}"), "2");
  EXPECT_EQ(rendered("{.items[*].n}"), "1 2");
  EXPECT_EQ(rendered("{range .items[*]}{.n};{end}"), "1;2;");
  EXPECT_EQ(rendered("{.items[?(@.type==\"Ready\")].status}"), "True");
}

TEST(JsonTemplate, RefusesWhatIsTorn) {
  for (const char* text : {"{.a", "{range .items[*]}", "{.items[}"}) {
    const auto out = render_json_template(text, sample());
    ASSERT_FALSE(out) << text;
    EXPECT_EQ(out.error().code, Code::kBadRequest) << text;
  }
}

TEST(TextTable, AlignsColumnsWithoutBlanksAtTheEnd) {
  TextTable table({"NAME", "AGE"});
  EXPECT_FALSE(table.has_rows());
  table.add({"a-long-name", "1s"});
  table.add({"b", ""});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(), "NAME          AGE\na-long-name   1s\nb\n");
}

TEST(TextTable, ShowsWhatACellWouldOrderTheTerminalToDo) {
  TextTable table({"REASON", "MESSAGE"});
  table.add({"\x1b[2J\n", "first\x07"});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(), "REASON    MESSAGE\n^[[2J^J   first^G\n");
}

TEST(TextTable, PutsLinesOfTheLastColumnBelowEachOther) {
  TextTable table({"REASON", "MESSAGE"});
  table.add({"Broken", "first\nCreated   forged"});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(), "REASON   MESSAGE\nBroken   first\n         Created   forged\n");
}

TEST(ServerTable, ShowsWhatACellWouldOrderTheTerminalToDo) {
  EXPECT_EQ(cell_text("\x1b]0;title\x07"), "^[]0;title^G");
  EXPECT_EQ(cell_text(Json::array({"\u009b"})), "[\"\\x9b\"]");
  EXPECT_EQ(cell_text(Json()), "<none>");
}

TEST(FlagValues, ReadDurations) {
  EXPECT_EQ(duration_flag("90", "-t"), std::chrono::seconds(90));
  EXPECT_EQ(duration_flag("1h30m", "-t"), std::chrono::minutes(90));
  for (const char* text : {"", "-5s", "soon", "5 minutes"}) {
    const auto duration = duration_flag(text, "--timeout");
    ASSERT_FALSE(duration) << text;
    EXPECT_TRUE(duration.error().message.starts_with("--timeout: ")) << duration.error().message;
  }
}

TEST(FlagValues, ReadPairs) {
  const auto pair = pair_flag("Accept:  text/plain ", ':', "-H");
  ASSERT_TRUE(pair);
  EXPECT_EQ(pair->first, "Accept");
  EXPECT_EQ(pair->second, "text/plain");
  EXPECT_EQ(pair_flag("a=b=c", '=', "-e")->second, "b=c");
  EXPECT_FALSE(pair_flag("=b", '=', "-e"));
  EXPECT_FALSE(pair_flag("ab", '=', "-e"));
}

TEST(FlagValues, TellExtensionsFromAttributesThatHaveFlagsOfTheirOwn) {
  EXPECT_EQ(check_extension("tenant=one"), "");
  EXPECT_EQ(check_extension("time=2026-01-01T00:00:00Z"), "");
  EXPECT_EQ(check_extension("ID=x"), "-e: ID is no extension: set it with --id");
  for (const char* text : {"data=x", "specversion=0.3", "a b=c", "a-b=c", "a\r\nb=c"}) {
    EXPECT_TRUE(check_extension(text).starts_with("-e: ")) << text;
  }
}

TEST(FlagValues, RefuseFunctionsWithoutAName) {
  EXPECT_EQ(check_function("function/hello"), "");
  for (const char* text : {"", "function/"}) EXPECT_NE(check_function(text), "") << text;
}

TEST(FlagValues, NameTheFlagOfAUrlThatIsNone) {
  EXPECT_TRUE(check_url("--x", ""));
  EXPECT_TRUE(check_url("--x", "https://example.com/base"));
  for (const char* text : {"nota url", "ftp://x", "http://"}) {
    const Status checked = check_url("--x", text);
    ASSERT_FALSE(checked) << text;
    EXPECT_TRUE(checked.error().message.starts_with("--x: ")) << checked.error().message;
  }
}

TEST(FlagValues, GuessTheTypeOfData) {
  EXPECT_EQ(content_type_of("{\"a\":1}"), "application/json");
  EXPECT_EQ(content_type_of("plain"), "text/plain; charset=utf-8");
}

Json definition() {
  const Json env{{"type", "array"}, {"items", {{"properties", {{"name", {}}, {"value", {}}}}}}};
  const Json spec{{"properties", {{"source", {{"properties", {{"type", {}}}}}}, {"env", env}}}};
  const Json schema{{"openAPIV3Schema", {{"properties", {{"spec", spec}}}}}};
  const Json version{{"name", "v1"}, {"schema", schema}};
  return {{"spec", {{"versions", Json::array({version})}}}};
}

TEST(FieldHint, NamesTheNearestFieldOfTheSameObject) {
  EXPECT_EQ(nearest_field_of(definition(), "v1", "spec.sourc"), "spec.source");
  EXPECT_EQ(nearest_field_of(definition(), "v1", "spec.env[3].nam"), "spec.env[3].name");
}

TEST(FieldHint, IsSilentWhereNothingIsNear) {
  EXPECT_EQ(nearest_field_of(definition(), "v1", "spec.completelyOther"), "");
  EXPECT_EQ(nearest_field_of(definition(), "v2", "spec.sourc"), "");
  EXPECT_EQ(nearest_field_of(Json::object(), "v1", "spec.sourc"), "");
}

}  // namespace
}  // namespace hearth::cli
