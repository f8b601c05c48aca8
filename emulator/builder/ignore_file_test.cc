#include "emulator/builder/ignore_file.h"

#include <string>

#include <gtest/gtest.h>

#include "platform/base/limits.h"

namespace hearth::builder {
namespace {

TEST(IgnoreFile, TheLastMatchDecides) {
  const IgnoreFile file("# comment\n*.log\n!keep.log\nnode_modules/\n**/*.pyc\n/dist\n");
  EXPECT_TRUE(file.ignores("a.log"));
  EXPECT_FALSE(file.ignores("keep.log"));
  EXPECT_FALSE(file.ignores("sub/a.log"));
  EXPECT_TRUE(file.ignores("node_modules/x/y.js"));
  EXPECT_FALSE(file.ignores("sub/node_modules/x"));
  EXPECT_TRUE(file.ignores("a/b/c.pyc"));
  EXPECT_TRUE(file.ignores("c.pyc"));
  EXPECT_TRUE(file.ignores("dist/out"));
}

TEST(IgnoreFile, EverythingButSomething) {
  const IgnoreFile file("*\n!src\n");
  EXPECT_TRUE(file.ignores("README.md"));
  EXPECT_FALSE(file.ignores("src/main.go"));
  EXPECT_FALSE(IgnoreFile("").ignores("anything"));
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  while (times-- > 0) out += text;
  return out;
}

TEST(IgnoreFile, RefusesMoreThanItsBounds) {
  const auto message = [](const std::string& text) {
    const auto file = IgnoreFile::parse(text);
    return file ? "taken" : file.error().message;
  };
  const std::string longest(kPatternBytesMax, 'a');
  EXPECT_EQ(message("# a\n  !" + longest.substr(1) + "\n#" + longest + "\n"), "taken");
  EXPECT_EQ(message("# a\n" + longest + "a\n"), "line 2: the pattern is over 4096 bytes");
  const std::string most = "# a\n\n" + repeated("a\n", kIgnorePatternsMax);
  EXPECT_EQ(message(most), "taken");
  EXPECT_EQ(message(most + "a\n"), "line 10003: there are over 10000 patterns");
  EXPECT_EQ(message(std::string(kIgnoreFileBytesMax + 1, '\n')), "it is over 1048576 bytes");
}

TEST(IgnoreFile, NoFileTakesForever) {
  const std::string path = repeated("xxxxxxx/", limits::kPathDepthMax - 1) + "x";
  const std::string stars = repeated("**/", kPatternBytesMax / 3) + "a\n";
  const std::string folders = repeated("**/x*/", kPatternBytesMax / 6 - 1) + "a\n";
  const std::string classes = "*[" + std::string(kPatternBytesMax - 4, 'a') + "]b\n";
  EXPECT_FALSE(IgnoreFile::parse(repeated(stars, 250))->ignores(path));
  EXPECT_FALSE(IgnoreFile::parse(repeated(folders, 100))->ignores(path));
  EXPECT_FALSE(IgnoreFile::parse(repeated(classes, 100))->ignores(path));
  EXPECT_FALSE(IgnoreFile::parse(repeated("a\n", kIgnorePatternsMax))->ignores(path));
}

TEST(IgnoreFile, EndsAmongItsPatternsWhenTheCheckpointSaysSo) {
  const IgnoreFile file = IgnoreFile::parse(repeated("a\n", 1000)).value();
  int asked = 0;
  const auto answer = file.ignores("b", [&asked]() -> Status {
    if (++asked < 3) return {};
    return fail(Code::kCancelled, "enough");
  });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Code::kCancelled);
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace hearth::builder
