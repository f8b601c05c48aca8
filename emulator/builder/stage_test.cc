#include "emulator/builder/stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "platform/base/json.h"

namespace hearth::builder {
namespace {

// Applies the only stage's instructions up to the first that fails.
Status apply_all(std::string_view text, StageState& stage,
                 const std::map<std::string, std::string>& given = {}) {
  const auto file = parse_dockerfile("FROM scratch\n" + std::string(text));
  if (!file) return fail(file.error());
  for (const Instruction& item : file->stages[0].instructions) {
    const Status applied = apply_metadata(item, {.given = given, .global = {}}, stage);
    if (!applied) {
      return fail(with_context(applied.error(), "line " + std::to_string(item.line)));
    }
  }
  return {};
}

std::string repeated(std::string_view text, int times) {
  std::string out;
  while (times-- > 0) out += text;
  return out;
}

TEST(Stage, AVariableDoesNotDoubleForEver) {
  for (const std::string keyword : {"ENV", "ARG"}) {
    StageState stage;
    // 16 bytes, doubled 13 times: 128 KiB, without the name.
    const auto doubled =
        apply_all(keyword + " A=0123456789abcdef\n" + repeated(keyword + " A=$A$A\n", 30), stage);
    ASSERT_FALSE(doubled) << keyword;
    EXPECT_EQ(doubled.error().code, Code::kTooLarge);
    EXPECT_EQ(doubled.error().message, "line 15: the variable A is over 131072 bytes");
  }
}

TEST(Stage, BoundsItsVariablesTogether) {
  const std::string values = "ENV A=" + std::string(100'000, 'x') + "\n";
  std::string text = values + "ARG B0=$A\n";
  for (int i = 1; i < 10; ++i) text += "ENV B" + std::to_string(i) + "=$A\n";
  StageState stage;
  const auto refused = apply_all(text, stage);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "line 12: the variables are over 1048576 bytes together");
  // Words of one instruction, before they are set.
  for (const std::string keyword : {"ENV", "ARG", "LABEL", "EXPOSE", "VOLUME", "USER"}) {
    StageState other;
    const auto all = apply_all(values + keyword + repeated(" a=$A", 100'000) + "\n", other);
    ASSERT_FALSE(all) << keyword;
    EXPECT_EQ(all.error().message, "line 3: the values of its variables are over 1048576 bytes");
  }
}

TEST(Stage, BoundsItsLabelsPortsAndVolumesTogether) {
  std::string labels = "ENV A=" + std::string(100'000, 'x') + "\n";
  std::string volumes = labels;
  for (int i = 0; i < 11; ++i) {
    labels += "LABEL l" + std::to_string(i) + "=$A\n";
    volumes += "VOLUME $A\n";
  }
  for (const std::string& text : {labels, volumes}) {
    StageState stage;
    const auto refused = apply_all(text, stage);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message,
              "line 13: labels, ports and volumes are over 1048576 bytes together");
  }
}

TEST(Stage, TakesVeryManyWordsOfOneInstruction) {
  std::string values, ports;
  for (int i = 0; i < 50'000; ++i) {
    values += " v" + std::to_string(i) + "=1";
    ports += " " + std::to_string(i) + " $v1";
  }
  StageState stage;
  ASSERT_TRUE(apply_all("ENV" + values + "\nEXPOSE" + ports + "\n", stage));
  EXPECT_EQ(stage.config.env.size(), 50'000U);
  EXPECT_EQ(stage.config.exposed_ports.size(), 50'000U);
  StageState arguments;
  ASSERT_TRUE(apply_all("ARG" + values + "\n", arguments));
  EXPECT_EQ(arguments.args.size(), 50'000U);
}

TEST(Stage, SetsAVariableWhereItStood) {
  StageState stage;
  ASSERT_TRUE(apply_all("ENV A=1 B=2\nENV C=3 A=$B A=$A$B\n", stage));
  EXPECT_THAT(stage.config.env, testing::ElementsAre("A=12", "B=2", "C=3"));
}

TEST(Stage, AnArgumentSeesThoseBeforeItAndNeverOverAVariable) {
  StageState stage;
  ASSERT_TRUE(apply_all("ENV E=env\nARG A=1 B=$A$E E=arg C=$E D\nENV F=$D-$C\n", stage,
                        {{"D", "given"}, {"unknown", "x"}}));
  EXPECT_EQ(stage.args,
            (Variables{{"A", "1"}, {"B", "1env"}, {"C", "env"}, {"D", "given"}, {"E", "arg"}}));
  EXPECT_EQ(stage.env_value("F"), "given-env");
}

TEST(Stage, ReadsBothFormsOfAHealthcheck) {
  StageState stage;
  const std::string command = "curl -f http://localhost:8080/a/long/path || exit 1";
  ASSERT_TRUE(apply_all("HEALTHCHECK --interval=5s CMD " + command + "\n", stage));
  EXPECT_EQ(stage.config.healthcheck,
            Json({{"Test", {"CMD-SHELL", command}}, {"Interval", 5'000'000'000}}));
  ASSERT_TRUE(apply_all("HEALTHCHECK CMD [\"/bin/check\", \"a b\"]\n", stage));
  EXPECT_EQ(stage.config.healthcheck, Json({{"Test", {"CMD", "/bin/check", "a b"}}}));
}

TEST(Stage, AnEntrypointTakesAwayTheCommandOfTheBaseOnly) {
  StageState stage;
  stage.config.cmd = {"of the base"};
  StageState other = stage;
  ASSERT_TRUE(apply_all("ENTRYPOINT [\"run\"]\n", stage));
  EXPECT_TRUE(stage.config.cmd.empty());
  ASSERT_TRUE(apply_all("CMD [\"own\"]\nENTRYPOINT [\"run\"]\n", other));
  EXPECT_THAT(other.config.cmd, testing::ElementsAre("own"));
}

TEST(Stage, KnowsAFolderAndThoseAboveIt) {
  StageState stage;
  stage.add_folder("/app/lib/");
  stage.add_folder("/");
  EXPECT_THAT(stage.folders, testing::UnorderedElementsAre("/app", "/app/lib"));
}

TEST(Stage, LooksAtEachFolderOfManyFilesOnce) {
  constexpr std::size_t kFiles = 50'000;
  constexpr std::size_t kDepth = 200;
  StageState stage;
  std::string folder;
  std::size_t looked_at = 0;
  for (std::size_t i = 0; i < kFiles; ++i) {
    if (i < kDepth) folder += "/d";
    looked_at += stage.add_folder(folder);
  }
  EXPECT_EQ(stage.folders.size(), kDepth);
  EXPECT_LE(looked_at, kFiles + kDepth);
}

}  // namespace
}  // namespace hearth::builder
