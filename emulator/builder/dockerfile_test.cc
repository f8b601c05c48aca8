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
  EXPECT_FALSE(substitute("${b:?must be set}", variables, '\\'));
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
