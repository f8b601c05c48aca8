#include "platform/oci/archive_magic.h"

#include <string>

#include <gtest/gtest.h>

namespace hearth::oci {
namespace {

using namespace std::string_literals;

TEST(ArchiveMagic, KnowsWhatIsReadAndWhatIsNot) {
  for (const std::string& bytes :
       {"\x1f\x8b\x08"s, "\x28\xb5\x2f\xfd"s, "\xfd"s + "7zXZ\0"s, "BZh91AY&SY"s, "PK\3\4"s}) {
    EXPECT_EQ(archive_mark(bytes), ArchiveMark::kReadable) << bytes;
  }
  for (const std::string& bytes : {"7z\xbc\xaf\x27\x1c"s, "Rar!\x1a\x07"s}) {
    EXPECT_EQ(archive_mark(bytes), ArchiveMark::kForeign) << bytes;
  }
}

TEST(ArchiveMagic, ATarHasItsMagicBehindAnEndedName) {
  std::string tar(512, '\0');
  tar.replace(0, 7, "main.py");
  tar.replace(257, 5, "ustar");
  EXPECT_EQ(archive_mark(tar), ArchiveMark::kReadable);
  std::string text(512, 'x');
  text.replace(257, 5, "ustar");
  EXPECT_EQ(archive_mark(text), ArchiveMark::kNone);
}

TEST(ArchiveMagic, SourceCodeIsNoArchive) {
  for (const char* text : {"", "PK = 1\n", "BZhandler = 1\n", "7z\n", "Rar! = None\n",
                           "def handler(event):\n    return 1\n"}) {
    EXPECT_EQ(archive_mark(text), ArchiveMark::kNone) << text;
  }
}

}  // namespace
}  // namespace hearth::oci
