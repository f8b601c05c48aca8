#include "emulator/builder/ignore_file.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace hearth::builder
