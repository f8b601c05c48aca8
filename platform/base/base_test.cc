#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "platform/base/bytes.h"
#include "platform/base/clock.h"
#include "platform/base/clock_watch.h"
#include "platform/base/failpoint.h"
#include "platform/base/file.h"
#include "platform/base/hash.h"
#include "platform/base/json_duplicates.h"
#include "platform/base/limits.h"
#include "platform/base/quantity.h"
#include "platform/base/random_id.h"
#include "platform/base/snapshot.h"
#include "platform/base/text.h"
#include "platform/base/yaml.h"
#include "platform/base/yaml_json.h"

namespace hearth::base {
namespace {

using namespace std::chrono_literals;

TEST(Bytes, Base64RoundTripsEveryLength) {
  for (std::size_t length = 0; length < 70; ++length) {
    std::string bytes(length, '\0');
    for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<char>(i * 37);
    EXPECT_EQ(from_base64(base64(bytes)), bytes);
  }
  EXPECT_EQ(base64("hearth"), "aGVhcnRo");
  EXPECT_FALSE(from_base64("a b="));
}

TEST(Failpoints, ActAtTheHitsThatThePlanNames) {
  using enum FailpointPlan::Action;
  FailpointPlan plan;
  ASSERT_TRUE(plan.parse("blob.write=torn@2;blob.flush=error@2-3;journal.append=kill;"));
  EXPECT_EQ(plan.hit("blob.write"), kNone);
  EXPECT_EQ(plan.hit("blob.write"), kTorn);
  EXPECT_EQ(plan.hit("blob.write"), kNone);
  for (const auto action : {kNone, kError, kError, kNone}) {
    EXPECT_EQ(plan.hit("blob.flush"), action);
  }
  EXPECT_EQ(plan.hit("journal.append"), kKill);
  EXPECT_EQ(plan.hit("blob.link"), kNone);
  EXPECT_EQ(plan.hits(Failpoint("blob.flush").index()), 4U);
}

TEST(Failpoints, RefuseAPlanThatWouldDoNothing) {
  for (const char* text : {"blob.wriet=kill", "blob.write", "blob.write=kil", "blob.write=kill@x",
                           "blob.write=error@1-"}) {
    EXPECT_FALSE(FailpointPlan().parse(text)) << text;
  }
}

class MovableClock final : public Clock {
 public:
  WallTime wall() const override { return now.wall() + moved; }
  MonotonicTime monotonic() const override { return now.monotonic(); }
  VirtualClock now;
  std::chrono::nanoseconds moved{0};
};

TEST(ClockWatch, TellsTimeThatPassesFromAClockThatIsMoved) {
  MovableClock clock;
  ClockWatch watch(clock);
  clock.now.advance(2h);
  EXPECT_EQ(watch.moved(), 0s);
  clock.now.advance(1s);
  clock.moved -= 1h;
  EXPECT_EQ(watch.moved(), -1h);
  EXPECT_EQ(watch.moved(), 0s);
}

TEST(Errors, WhatIsShortForNowCanBeTriedAgain) {
  EXPECT_EQ(system_error(EMFILE, "open").code, Code::kUnavailable);
  EXPECT_EQ(system_error(ENOSPC, "write").code, Code::kStorageFull);
}

TEST(Hash, MatchesPublishedVectors) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex(md5("abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(crc32("123456789"), 0xCBF43926U);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc64nvme("123456789"), 0xAE8B14860A799888ULL);
}

TEST(Clock, FormatsAndParsesTimestamps) {
  const auto time = parse_rfc3339("2026-11-21T04:05:06.789+01:00");
  ASSERT_TRUE(time);
  EXPECT_EQ(format_rfc3339(*time), "2026-11-21T03:05:06Z");
  EXPECT_EQ(format_rfc3339_millis(*time), "2026-11-21T03:05:06.789Z");
  EXPECT_EQ(format_http_date(*time), "Sat, 21 Nov 2026 03:05:06 GMT");
  EXPECT_EQ(parse_http_date("Sat, 21 Nov 2026 03:05:06 GMT"),
            std::chrono::floor<std::chrono::seconds>(*time));
  EXPECT_FALSE(parse_rfc3339("2026-02-30T00:00:00Z"));
  EXPECT_FALSE(parse_rfc3339("yesterday"));
  EXPECT_LT(*parse_rfc3339("1013-11-21T03:04:05Z"), *parse_rfc3339("1700-01-01T00:00:00Z"));
  EXPECT_GT(*parse_rfc3339("9999-12-31T23:59:60.999999999-12:00"),
            *parse_rfc3339("2261-01-01T00:00:00Z"));
}

TEST(Clock, AgesReadLikeKubectl) {
  EXPECT_EQ(human_duration(45s), "45s");
  EXPECT_EQ(human_duration(150s), "2m30s");
  EXPECT_EQ(human_duration(3h + 5min), "3h5m");
  EXPECT_EQ(human_duration(50h), "2d2h");
}

TEST(Quantity, ReadsKubernetesForms) {
  EXPECT_EQ(parse_quantity("128Mi"), 128 * 1024 * 1024);
  EXPECT_EQ(parse_quantity_milli("100m"), 100);
  EXPECT_EQ(parse_quantity_milli("1.5"), 1500);
  EXPECT_EQ(parse_quantity("1e3"), 1000);
  EXPECT_FALSE(parse_quantity("12Q"));
  EXPECT_FALSE(parse_quantity(""));
}

TEST(Quantity, ReadsDurations) {
  EXPECT_EQ(parse_go_duration("1h30m"), 90min);
  EXPECT_EQ(parse_go_duration("1.5s"), 1500ms);
  EXPECT_FALSE(parse_go_duration("5"));
  EXPECT_EQ(parse_iso_duration("PT0.2S"), 200ms);
  EXPECT_EQ(parse_iso_duration("P1DT2H"), 26h);
  EXPECT_FALSE(parse_iso_duration("PT"));
  EXPECT_EQ(format_go_duration(90s), "1m30s");
  EXPECT_EQ(format_go_duration(1500ms), "1.5s");
}

TEST(Text, SuggestsTheNearestName) {
  const std::vector<std::string> names{"hello", "payment", "inventory"};
  EXPECT_EQ(nearest("helo", names), "hello");
  EXPECT_EQ(nearest("paymnet", names), "payment");
  EXPECT_FALSE(nearest("zzz", names));
}

TEST(Text, RefusesBadUtf8) {
  EXPECT_TRUE(is_valid_utf8("Zürich ✓ 𝄞"));
  EXPECT_FALSE(is_valid_utf8("\xC0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xF5\x80\x80\x80"));
}

TEST(DuplicateMembers, AreNamedByTheirPathsOnce) {
  EXPECT_TRUE(duplicate_members(R"({"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":2}]})").empty());
  EXPECT_EQ(duplicate_members(R"({"data":{"a":"1","a":"2","a":"3"},"l":[0,{"n":[],"n":{}}]})"),
            (std::vector<std::string>{"data.a", "l[1].n"}));
  EXPECT_EQ(duplicate_members(R"({"\u0061":1,"a":2})"), std::vector<std::string>{"a"});
  EXPECT_EQ(duplicate_members(R"({"a":1,"a":1,"b":1,"b":1})", 1).size(), 1U);
  EXPECT_TRUE(duplicate_members("{\"a\":1,").empty());
  EXPECT_TRUE(duplicate_members("").empty());
}

TEST(Json, AnErrorShowsNoMoreThanTheBeginningOfWhatIsWrong) {
  const auto refused = parse_json("\"" + std::string(100'000, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().message.starts_with("invalid JSON: parse error at line 1"));
  EXPECT_LT(refused.error().message.size(), 400U);
}

TEST(Json, AnIntegerThatFitsNoneIsAbsent) {
  const auto read = [](const char* text) { return int_at(parse_json(text).value(), {"a"}); };
  EXPECT_EQ(read(R"({"a":9223372036854775807})"), INT64_MAX);
  EXPECT_EQ(read(R"({"a":-9223372036854775808})"), INT64_MIN);
  for (const char* text : {R"({"a":9223372036854775808})", R"({"a":18446744073709551615})",
                           R"({"a":1.0})", R"({"a":"1"})", "{}"}) {
    EXPECT_EQ(read(text), std::nullopt) << text;
  }
}

TEST(ParseJson, ReadsTheTextToItsEnd) {
  EXPECT_TRUE(parse_json(" {} \n"));
  EXPECT_FALSE(parse_json("{} {}"));
  EXPECT_FALSE(parse_json(std::string_view("{}\0 junk", 8)));
  EXPECT_FALSE(parse_json(std::string_view("{}\0", 3)));
}

TEST(Yaml, FollowsTheScalarRulesOfKubectl) {
  const auto value = parse_yaml("a: yes\nb: \"yes\"\nc: 017\nd: 1.5\ne: 1.5.2\nf: null\ng: 0x10\n");
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, (Json{{"a", true},
                          {"b", "yes"},
                          {"c", 15},
                          {"d", 1.5},
                          {"e", "1.5.2"},
                          {"f", nullptr},
                          {"g", 16}}));
}

TEST(Yaml, ReadsTheLeastAndTheGreatestInteger) {
  const auto value = parse_yaml("a: -9223372036854775808\nb: 9223372036854775807\nc: -0x10\n");
  ASSERT_TRUE(value);
  EXPECT_EQ(value->dump(), R"({"a":-9223372036854775808,"b":9223372036854775807,"c":-16})");
  EXPECT_TRUE((*value)["a"].is_number_integer());
  EXPECT_EQ(parse_yaml("a: --1\n").value()["a"], "--1");
  EXPECT_EQ(parse_yaml("a: -+1\n").value()["a"], "-+1");
}

TEST(ParseJson, RefusesWhatIsDeeperThanItMayBe) {
  const auto lists = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_EQ(depth_of(parse_json(lists(limits::kJsonDepthMax)).value()), limits::kJsonDepthMax);
  EXPECT_FALSE(parse_json(lists(limits::kJsonDepthMax + 1)));
  EXPECT_TRUE(parse_json(lists(3), 3));
  EXPECT_FALSE(parse_json(lists(4), 3));
}

TEST(JsonNodes, SayWhereTheyAreWrong) {
  const auto error_of = [](std::string_view text) {
    const auto nodes = parse_json_nodes(text, "a.json");
    return nodes ? std::string() : nodes.error().message;
  };
  EXPECT_EQ(error_of("{\"a\": [-9223372036854775808, 1e300, -0, 1.5E+3]}"), "");
  EXPECT_EQ(error_of("{\"\u00e4\",\n \"\xff\": 1}"), "a.json:2:3: invalid JSON: it is no UTF-8");
  EXPECT_EQ(error_of("{\"\u00e4\xc3"), "a.json:1:4: invalid JSON: it is no UTF-8");
  EXPECT_EQ(error_of("{\"a\": 1e400}"), "a.json:1:7: invalid JSON: a number that is too large");
}

TEST(Yaml, NamesTheLineOfAnError) {
  const auto value = parse_yaml("a: 1\nb: [1, 2\nc: 3\n");
  ASSERT_FALSE(value);
  EXPECT_THAT(value.error().message, testing::HasSubstr("line"));
  EXPECT_FALSE(parse_yaml("a: 1\na: 2\n"));
}

TEST(Yaml, RefusesABillionLaughs) {
  std::string text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    text +=
        fmt::format("a{0}: &a{0} [*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1}]\n", i, i - 1);
  }
  const auto value = parse_yaml(text);
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, Code::kTooLarge);
}

// 200 bytes that become 80,000 nodes.
std::string laughs() {
  std::string text = "- &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 5; ++i) {
    text +=
        fmt::format("- &a{0} [*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1},*a{1}]\n", i, i - 1);
  }
  return text;
}

std::string yaml_error(std::string_view text) {
  const auto value = parse_yaml_documents(text);
  return value ? "" : value.error().message;
}

TEST(Yaml, RefusesAliasesThatMakeManyNodesOfFew) {
  const auto value = parse_yaml(laughs());
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, Code::kTooLarge);
  EXPECT_EQ(value.error().message, "line 1, column 1: YAML document contains excessive aliasing");
  // Of which document.
  EXPECT_EQ(yaml_error("a: 1\n---\n" + laughs()),
            "line 3, column 1: YAML document contains excessive aliasing");
}

TEST(Yaml, LetsAliasesRepeatOneNodeAsOftenAsTheyAreWritten) {
  std::string text = "a: &a {image: x, env: [{name: A, value: b}, {name: B, value: c}]}\nb:\n";
  for (int i = 0; i < 5000; ++i) text += i % 2 == 0 ? "- *a\n" : "- {<<: *a, image: y}\n";
  const auto value = parse_yaml(text);
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ((*value)["b"].size(), 5000);
  EXPECT_EQ((*value)["b"][4999]["env"], (*value)["a"]["env"]);
  // Fewer than a thousand nodes may all come from aliases.
  EXPECT_EQ(yaml_error("- &a [0,0,0,0,0,0,0,0]\n- &b [*a,*a,*a,*a,*a,*a,*a,*a]\n"
                       "- [*b,*b,*b,*b,*b,*b,*b,*b]\n"),
            "");
}

TEST(Yaml, CountsNodesAndTextOfAllDocumentsTogether) {
  // 90,000 nodes each, within what its aliases may make.
  std::string one = "---\n- &a [";
  for (int i = 0; i < 90; ++i) one += "0,";
  one += "]\n- [";
  for (int i = 0; i < 1000; ++i) one += "*a,";
  one += "]\n";
  std::string text;
  for (int i = 0; i < 10; ++i) text += one;
  EXPECT_EQ(yaml_error(text), "");
  for (int i = 0; i < 10; ++i) text += one;
  EXPECT_EQ(yaml_error(text), "YAML text has too many nodes");

  one = "---\n- &a " + std::string(1024 * 1024, 'x') + "\n- [*a,*a,*a,*a,*a]\n";
  EXPECT_EQ(yaml_error(one + one), "");
  EXPECT_EQ(yaml_error(one + one + one), "YAML text is too long once its aliases are expanded");
}

TEST(Yaml, RefusesASecondDocumentBeforeItReadsWhatTheFirstSays) {
  const auto value = parse_yaml("---\n" + laughs() + "---\na: 1\n");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().message, "line 8, column 1: expected one YAML document");
  // Those that say nothing don't count.
  EXPECT_EQ(parse_yaml("---\n---\nnull\n---\na: 1\n---\n~\n").value(), (Json{{"a", 1}}));
  EXPECT_EQ(parse_yaml("--- null\n").value(), Json(nullptr));
}

TEST(Yaml, RefusesManyOrLongTagDirectives) {
  const auto tags = [](int count, std::string_view line_break) {
    std::string text;
    for (int i = 0; i < count; ++i) text += fmt::format("%TAG !{}! x{}", i, line_break);
    return text + "--- {a: !1!b c}\n";
  };
  for (const std::string_view line_break :
       {"\n", "\r", "\r\n", "\n\n", " # a\n", "\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"}) {
    EXPECT_EQ(yaml_error(tags(50, line_break)), "") << testing::PrintToString(line_break);
    EXPECT_THAT(yaml_error(tags(200, line_break)),
                testing::HasSubstr("%TAG directives have more than 1024 bytes"))
        << testing::PrintToString(line_break);
  }
  EXPECT_THAT(yaml_error("%TAG !a! " + std::string(2000, 'x') + "\n--- !a!b c\n"),
              testing::StartsWith("invalid YAML: line 1, column 1: "));
  // Of each document anew.
  std::string text;
  for (int i = 0; i < 10; ++i) text += tags(50, "\n") + "...\n";
  EXPECT_EQ(yaml_error(text), "");
}

TEST(Yaml, RefusesALongTextThatAliasesRepeat) {
  std::string text = "a: &a " + std::string(1024 * 1024, 'x') + "\nb: [";
  for (int i = 0; i < 100; ++i) text += "*a,";
  const auto value = parse_yaml(text + "]\n");
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, Code::kTooLarge);
}

TEST(Yaml, RefusesTextThatIsNotUtf8) {
  const auto value = parse_yaml("a: 1\nb: \xff\xfe\n");
  ASSERT_FALSE(value);
  EXPECT_THAT(value.error().message, testing::HasSubstr("line 2"));
  EXPECT_FALSE(parse_yaml("\xff\xfe: 1\n"));
  EXPECT_FALSE(parse_yaml(", a"));
  EXPECT_FALSE(parse_yaml(std::string_view("\n, yea\xfe\0", 8)));
}

TEST(Yaml, MergesWhatAMergeKeyBringsBesideWhatIsThere) {
  const auto value =
      parse_yaml("base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nout:\n  y: 9\n  <<: [*b, *o]\n");
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ((*value)["out"], (Json{{"x", 1}, {"y", 9}, {"z", 4}}));
  EXPECT_EQ((*parse_yaml("\"<<\": 1\n"))["<<"], 1);
  EXPECT_FALSE(parse_yaml("<<: 1\n"));
}

TEST(Yaml, AChainOfMergeKeysBringsWhatItsLinksSay) {
  const auto value = parse_yaml(
      "- &a {x: 1, y: 1, z: 1}\n- &b {y: 2, <<: *a}\n- &c {<<: [*b, {w: 3, x: 3}], z: 3}\n");
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ((*value)[1], (Json{{"x", 1}, {"y", 2}, {"z", 1}}));
  EXPECT_EQ((*value)[2], (Json{{"w", 3}, {"x", 1}, {"y", 2}, {"z", 3}}));
  EXPECT_EQ(yaml_error("a: 1\n<<: {b: 1, b: 2}\n"),
            "line 2, column 12: key \"b\" already set in map");
}

TEST(Yaml, CountsWhatMergeKeysBringInVain) {
  // Each merge looks at all keys of the first mapping, though the second has them already.
  std::string text = "- &a {";
  for (int i = 0; i < 10'000; ++i) text += fmt::format("k{}: 1, ", i);
  text += "}\n- <<: [";
  for (int i = 0; i < 200; ++i) text += "*a, ";
  EXPECT_EQ(yaml_error(text + "]\n"), "YAML text has too many nodes");
}

TEST(Yaml, RefusesAnAliasOfWhatItStandsIn) {
  const auto value = parse_yaml("a: &a\n  - *a\n");
  ASSERT_FALSE(value);
  EXPECT_THAT(value.error().message, testing::HasSubstr("line 2, column 5"));
  EXPECT_FALSE(parse_yaml("a: *nothing\n"));
}

TEST(Yaml, TagsAndQuotesMakeTexts) {
  const auto value = parse_yaml("a: !!str 1\nb: '1'\nc: |\n  1\n");
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, (Json{{"a", "1"}, {"b", "1"}, {"c", "1\n"}}));
}

TEST(File, IsOverwrittenInPlaceAndReadableByAll) {
  const std::filesystem::path path = ::testing::TempDir() + "overwritten-" + random_hex(6);
  const mode_t before = ::umask(077);
  EXPECT_TRUE(overwrite_file(path, "a longer text"));
  ::umask(before);
  struct stat first{};
  ASSERT_EQ(::stat(path.c_str(), &first), 0);
  EXPECT_EQ(first.st_mode & 0777U, 0644U);
  EXPECT_TRUE(overwrite_file(path, "short"));
  struct stat second{};
  ASSERT_EQ(::stat(path.c_str(), &second), 0);
  EXPECT_EQ(first.st_ino, second.st_ino);
  EXPECT_EQ(read_file(path).value(), "short");
  std::filesystem::remove(path);
  EXPECT_FALSE(overwrite_file("/no/such/folder/file", "x"));
}

TEST(Snapshot, AReaderKeepsTheVersionThatItFound) {
  Snapshot<std::string> snapshot(std::make_shared<const std::string>("old"));
  const auto found = snapshot.load();
  snapshot.store(std::make_shared<const std::string>("new"));
  EXPECT_EQ(*found, "old");
  EXPECT_EQ(*snapshot.load(), "new");
}

TEST(Yaml, PrintsAsKubectlDoes) {
  EXPECT_EQ(dump_yaml({{"items", {1, {{"a", "b c"}, {"e", Json::array()}}}},
                       {"long", std::string(70, 'x') + " " + std::string(70, 'y')},
                       {"on", "1"},
                       {"none", nullptr}}),
            "items:\n- 1\n- a: b c\n  e: []\nlong: " + std::string(70, 'x') + " " +
                std::string(70, 'y') + "\nnone: null\n\"on\": \"1\"\n");
}

TEST(Yaml, PrintsTextsOfAnyShape) {
  for (const char* text :
       {"",      " ",  "~",     "null",     "on",     "1",      "a\nb",     "a\n",
        "a\n\n", "\n", "\na\n", " a\nb\n",  "\ta\n",  "a\n \n", "a\r\nb\n", "a: b",
        "a #b",  "#",  "- a",   "x\x01y\n", "'",      "\"",     "---",      "!",
        "&a",    "*a", "%a",    "@a",       "é\nß\n", "<<"}) {
    const Json value{{"key", text}, {text, "value"}, {"z", {text}}};
    const auto again = parse_yaml(dump_yaml(value));
    ASSERT_TRUE(again) << dump_yaml(value) << again.error().message;
    EXPECT_EQ(*again, value) << dump_yaml(value);
  }
  EXPECT_THAT(dump_yaml({{"code", "def f():\n  pass\n"}}),
              testing::StartsWith("code: |\n  def f():\n    pass\n"));
}

TEST(Yaml, PrintsWhatItReads) {
  const Json value{{"code", "def f():\n  pass\n"},
                   {"yes", "yes"},
                   {"n", "12"},
                   {"list", {1, "a"}},
                   {"empty", Json::object()}};
  const auto again = parse_yaml(dump_yaml(value));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, value);
}

}  // namespace
}  // namespace hearth::base
