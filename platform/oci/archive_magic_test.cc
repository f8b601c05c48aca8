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

TEST(ArchiveMagic, TellsWhatAFileIsCompressedWith) {
  EXPECT_EQ(packing_of("\x1f\x8b\x08"), Packing::kGzip);
  EXPECT_EQ(packing_of("\x28\xb5\x2f\xfd"), Packing::kZstd);
  EXPECT_EQ(packing_of("\x5a\x2a\x4d\x18"), Packing::kZstd);
  EXPECT_EQ(packing_of("\x6a\x2a\x4d\x18"), Packing::kNone);
  EXPECT_EQ(packing_of("\xfd"s + "7zXZ\0"s), Packing::kXz);
  EXPECT_EQ(packing_of("BZh91AY&SY"), Packing::kBzip2);
  for (const char* text : {"", "PK\3\4", "BZh9"}) EXPECT_EQ(packing_of(text), Packing::kNone);
}

TEST(ArchiveMagic, NeedsTheWholeMagic) {
  for (const std::string& magic :
       {"\x1f\x8b"s, "\x28\xb5\x2f\xfd"s, "\xfd"s + "7zXZ\0"s, "BZh91AY&SY"s, "PK\3\4"s, "PK\5\6"s,
        "7z\xbc\xaf\x27\x1c"s, "Rar!\x1a\x07"s, "\x04\x22\x4d\x18"s, "\x1f\x9d"s}) {
    EXPECT_NE(archive_mark(magic), ArchiveMark::kNone) << magic;
    for (std::size_t size = 0; size < magic.size(); ++size) {
      EXPECT_EQ(archive_mark(magic.substr(0, size)), ArchiveMark::kNone) << magic << " " << size;
    }
  }
}

TEST(ArchiveMagic, ATarHasItsMagicBehindAnEndedName) {
  std::string tar(512, '\0');
  tar.replace(0, 7, "main.py");
  tar.replace(257, 5, "ustar");
  EXPECT_EQ(archive_mark(tar), ArchiveMark::kReadable);
  for (std::size_t size = 0; size < tar.size(); ++size) {
    EXPECT_EQ(archive_mark(tar.substr(0, size)), ArchiveMark::kNone) << size;
  }
  std::string text(512, 'x');
  text.replace(257, 5, "ustar");
  EXPECT_EQ(archive_mark(text), ArchiveMark::kNone);
}

TEST(ArchiveMagic, SourceCodeIsNoArchive) {
  for (const char* text : {"", "BZh", "BZh9", "PK = 1\n", "BZhandler = 1\n", "7z\n",
                           "Rar! = None\n", "def handler(event):\n    return 1\n"}) {
    EXPECT_EQ(archive_mark(text), ArchiveMark::kNone) << text;
  }
}

}  // namespace
}  // namespace hearth::oci
