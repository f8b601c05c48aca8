#include "platform/base/printable.h"

#include <gtest/gtest.h>

namespace hearth::base {
namespace {

TEST(Printable, LeavesTextOfAllLanguagesAsItIs) {
  for (const char* text : {"", "plain", "a\tb", "Grüße, 世界, 🙂", "שלום", "\u00a0\u200d"}) {
    EXPECT_EQ(printable(text), text);
  }
}

TEST(Printable, ShowsWhatATerminalWouldObey) {
  EXPECT_EQ(printable("\x1b]52;c;aGk=\x07"), "^[]52;c;aGk=^G");
  EXPECT_EQ(printable("ready\rfailed"), "ready^Mfailed");
  EXPECT_EQ(printable("a\b\x7f"), "a^H^?");
  EXPECT_EQ(printable(std::string_view("a\0b", 3)), "a^@b");
}

TEST(Printable, ShowsEightBitControls) {
  EXPECT_EQ(printable("\u009b31m"), "\\x9b31m");
  EXPECT_EQ(printable("\u0080\u009f"), "\\x80\\x9f");
}

TEST(Printable, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(printable("\x9b"
                      "31m"),
            "\\x9b31m");
  EXPECT_EQ(printable("caf\xe9"), "caf\\xe9");
  EXPECT_EQ(printable("\xe2\x82"), "\\xe2\\x82");
  EXPECT_EQ(printable("\xc0\x9b"), "\\xc0\\x9b");
}

TEST(Printable, ShowsWhatReordersALine) {
  EXPECT_EQ(printable("\u202eabc\u202c"), "\\u202eabc\\u202c");
  EXPECT_EQ(printable("\u2066a\u2069"), "\\u2066a\\u2069");
  EXPECT_EQ(printable("\u2029\u202f\u2065\u206a"), "\u2029\u202f\u2065\u206a");
}

TEST(Printable, OnlyLinesKeepTheirLineFeeds) {
  EXPECT_EQ(printable("a\nb"), "a^Jb");
  EXPECT_EQ(printable_lines("a\nb\r\n\x1b[2J"), "a\nb^M\n^[[2J");
  EXPECT_EQ(printable_lines("a\n"), "a\n");
}

TEST(Printable, OfWhatItMadeNothingIsLeftToDo) {
  const std::string once = printable("\x1b[0m\u009b\u202e\xff\n");
  EXPECT_EQ(printable(once), once);
}

}  // namespace
}  // namespace hearth::base
