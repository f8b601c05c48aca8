#include "emulator/builder/dockerfile.h"

#include <gtest/gtest.h>

#include "emulator/builder/substitute.h"

namespace hearth::builder {
namespace {

TEST(Dockerfile, ReadsStagesFlagsAndForms) {
  const auto file = parse_dockerfile(R"(# syntax=docker/dockerfile:1
ARG VERSION=1.22
FROM golang:${VERSION} AS Build
RUN go build \
    # a comment between
    -o app .
FROM scratch
COPY --from=build --chown=1:1 /src/app /app
CMD ["/app", "a b"]
entrypoint run it
)")
                        .value();
  ASSERT_EQ(file.stages.size(), 2U);
  EXPECT_EQ(file.global_args[0].words[0], "VERSION=1.22");
  EXPECT_EQ(file.stages[0].name, "build");
  EXPECT_EQ(file.stages[0].instructions[0].line, 4);
  EXPECT_EQ(file.stages[0].instructions[0].text, "go build     -o app .");
  const auto& copy = file.stages[1].instructions[0];
  EXPECT_EQ(copy.flags.find("from")->second, "build");
  EXPECT_EQ(copy.words, (std::vector<std::string>{"/src/app", "/app"}));
  EXPECT_TRUE(file.stages[1].instructions[1].json);
  EXPECT_EQ(file.stages[1].instructions[1].words[1], "a b");
  EXPECT_EQ(file.stages[1].instructions[2].text, "run it");
}

TEST(Dockerfile, KnowsTheEscapeDirective) {
  const auto file = parse_dockerfile("# escape=`\nFROM x\nRUN a `\n  b\\\n").value();
  EXPECT_EQ(file.stages[0].instructions[0].text, "a   b\\");
  EXPECT_FALSE(parse_dockerfile("# escape=x\nFROM x\n"));
}

TEST(Dockerfile, NamesLineAndNearMiss) {
  const auto message = [](std::string_view text) { return parse_dockerfile(text).error().message; };
  EXPECT_EQ(message("FROM x\n\nCOPPY a b\n"),
            "Dockerfile line 3: unknown instruction COPPY; did you mean COPY?");
  EXPECT_EQ(message("RUN x\n"),
            "Dockerfile line 1: RUN before the first FROM; only ARG may stand there");
  EXPECT_EQ(message(""), "the Dockerfile has no FROM");
  EXPECT_EQ(message("FROM x\nCOPY a\n"),
            "Dockerfile line 2: COPY needs a source and a destination");
  EXPECT_TRUE(message("FROM x\nRUN <<EOF\necho\nEOF\n").contains("here-documents"));
  EXPECT_TRUE(message("FROM x\nONBUILD RUN y\n").contains("ONBUILD is not supported"));
}

TEST(Dockerfile, BoundsTheNumberOfStages) {
  std::string text;
  for (std::size_t i = 0; i < kStagesMax; ++i) text += "FROM a AS x" + std::to_string(i) + "\n";
  EXPECT_TRUE(parse_dockerfile(text));
  const auto refused = parse_dockerfile(text + "RUN x\nFROM a\nRUN y\n");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kTooLarge);
  EXPECT_EQ(refused.error().message, "Dockerfile line 258: there are over 256 stages");
}

TEST(Dockerfile, TakesEmptyListsWhereTheyTakeAwayWhatTheBaseHas) {
  const auto file = parse_dockerfile("FROM x\nCMD []\nENTRYPOINT [ ]\n");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(file->stages[0].instructions[0].json);
  EXPECT_TRUE(file->stages[0].instructions[1].words.empty());
  for (const std::string_view keyword : {"RUN", "SHELL", "VOLUME", "COPY", "ADD"}) {
    EXPECT_FALSE(parse_dockerfile("FROM x\n" + std::string(keyword) + " []\n")) << keyword;
  }
  EXPECT_FALSE(parse_dockerfile("FROM x\nCMD\n"));
}

TEST(Dockerfile, ContinuesALineWhateverWhiteSpaceFollowsTheEscape) {
  for (const std::string_view end :
       {"\n", "\r\n", "\r\r\n", " \t\n", " \r\n", "\r \n", " \r \r\n"}) {
    const auto file = parse_dockerfile("FROM x\nRUN a \\" + std::string(end) + "  b" +
                                       std::string(end) + "RUN c");
    ASSERT_TRUE(file) << file.error().message;
    ASSERT_EQ(file->stages[0].instructions.size(), 2U);
    EXPECT_EQ(file->stages[0].instructions[0].text, "a   b");
  }
}

TEST(Substitute, BoundsWhatVariablesPutIn) {
  const Variables variables = {{"a", std::string(64 * 1024, 'x')}};
  const auto repeated = [](std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  EXPECT_EQ(substitute(repeated("$a", 16), variables, '\\').value().size(), kSubstitutedBytesMax);
  const std::vector<std::string> refused = {
      repeated("$a", 17), repeated("${a}", 100'000), repeated("${a:-b}", 17),
      // What is dropped in the end, too.
      repeated("${unset:+$a}", 17), repeated("${unset:-${unset:-$a}}", 17)};
  for (const std::string& word : refused) {
    const auto value = substitute(word, variables, '\\');
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().code, Code::kTooLarge);
    EXPECT_EQ(value.error().message, "the values of its variables are over 1048576 bytes");
  }
  // Text that no variable puts in is no longer than the file.
  EXPECT_TRUE(substitute(std::string(2 * kSubstitutedBytesMax, 'x'), variables, '\\'));
}

TEST(Substitute, BoundsTheWordsOfAnInstructionTogether) {
  const Variables variables = {{"a", std::string(64 * 1024, 'x')}};
  EXPECT_TRUE(Substitution(variables, '\\').of_all(std::vector<std::string>(16, "$a")));
  EXPECT_FALSE(Substitution(variables, '\\').of_all(std::vector<std::string>(17, "$a")));
  EXPECT_TRUE(parse_pairs(std::vector<std::string>(16, "b=$a"), "", variables, '\\'));
  EXPECT_FALSE(parse_pairs(std::vector<std::string>(17, "b=$a"), "", variables, '\\'));
}

TEST(Substitute, KnowsTheForms) {
  const Variables variables = {{"a", "1"}, {"empty", ""}};
  const auto value = [&](std::string_view word) {
    return substitute(word, variables, '\\').value();
  };
  EXPECT_EQ(value("$a-${a}x"), "1-1x");
  EXPECT_EQ(value("${b:-d}${empty:-e}${empty-f}${a:-z}"), "de1");
  EXPECT_EQ(value("${a:+yes}${b:+no}"), "yes");
  EXPECT_EQ(value("${b:-${a}}"), "1");
  EXPECT_EQ(value(R"(\$a '$a' "$a b")"), "$a $a 1 b");
  EXPECT_EQ(value("$1 $"), "$1 $");
  EXPECT_FALSE(substitute("${a", variables, '\\'));
}

TEST(Substitute, SaysWhichVariableIsMissing) {
  const Variables variables = {{"a", "1"}, {"empty", ""}};
  const auto message = [&](std::string_view word) {
    const auto value = substitute(word, variables, '\\');
    return value ? *value : value.error().message;
  };
  EXPECT_EQ(message("${b:?must be set}"), "b: must be set");
  EXPECT_EQ(message("${b?}"), "b: is not allowed to be unset");
  EXPECT_EQ(message("${b:?}"), "b: is not allowed to be unset");
  EXPECT_EQ(message("${empty:?}"), "empty: is not allowed to be empty");
  EXPECT_EQ(message("${empty?}${a:?}"), "1");
}

TEST(Substitute, RefusesNestingThatWouldOverflowTheStack) {
  const auto nested = [](int depth) {
    std::string word;
    for (int i = 0; i < depth; ++i) word += "${a-";
    return word + std::string(static_cast<std::size_t>(depth), '}');
  };
  EXPECT_TRUE(substitute(nested(32), {}, '\\'));
  const auto refused = substitute(nested(100'000), {}, '\\');
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "${a}: nested more than 32 deep");
}

TEST(Substitute, ReadsPairs) {
  const Variables variables = {{"x", "1"}};
  const auto pairs = parse_pairs({"A=$x", R"(B="two words")"}, "", variables, '\\').value();
  EXPECT_EQ(pairs[0].second, "1");
  EXPECT_EQ(pairs[1].second, "two words");
  const auto old_form = parse_pairs({"A", "b", "c"}, "A b c", variables, '\\').value();
  EXPECT_EQ(old_form[0].second, "b c");
}

}  // namespace
}  // namespace hearth::builder
