#include "platform/oci/xz_dictionary.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/mman.h>

#include "platform/base/file.h"
#include "platform/base/unique_fd.h"

namespace hearth::oci {
namespace {

using namespace std::string_literals;

constexpr char k4KiB = 0;
constexpr char k64MiB = 28;
constexpr char k96MiB = 29;
constexpr char k4GiB = 40;

// Sums are zero: the walk leaves them to liblzma.
std::string stream_header(char check = 1) {
  return "\xfd"s + "7zXZ\0\0"s + check + std::string(4, 0);
}

// "abc" stored in a chunk, and 2 bytes in one that says it is LZMA; then the end, up to a multiple
// of 4, and a check of 4 bytes.
std::string block(char dictionary) {
  const std::string header = "\x02\x00\x21\x01"s + dictionary + std::string(7, 0);
  const std::string chunks = "\x01\x00\x02"s + "abc" + "\xe0\x00\x05\x00\x01\x5d"s + "zz" + "\0"s;
  return header + chunks + std::string(1 + 4, 0);
}

// With both sizes and a filter for programs in front of LZMA2.
std::string full_block(char dictionary) {
  const std::string header = "\x03\xc1\x83\x01\x85\x02\x04\x00\x21\x01"s + dictionary;
  return header + std::string(16 - header.size(), 0) + std::string(4 + 4, 0);
}

std::string index(std::size_t blocks) {
  std::string out = "\0"s + static_cast<char>(blocks);
  for (; blocks > 0; --blocks) out += "\x80\x01\x05"s;
  out.append((4 - out.size() % 4) % 4, 0);
  return out + std::string(4 + 12, 0);
}

Status check(const std::string& bytes, off_t begin = 0) {
  const base::UniqueFd fd(::memfd_create("xz", MFD_CLOEXEC));
  EXPECT_TRUE(base::write_all(fd.get(), bytes));
  return check_xz_dictionaries(fd.get(), begin);
}

TEST(XzDictionary, AsLargeAsThatOfTheHighestPresetAtMost) {
  for (const char taken : {k4KiB, k64MiB}) EXPECT_TRUE(check(stream_header() + block(taken)));
  for (const char refused : {k96MiB, k4GiB}) {
    const Status status = check(stream_header() + block(refused));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::kTooLarge);
    EXPECT_TRUE(status.error().message.contains("at most 67108864")) << status.error().message;
  }
  EXPECT_TRUE(check(stream_header() + full_block(k64MiB)));
  EXPECT_FALSE(check(stream_header() + full_block(k96MiB)));
}

TEST(XzDictionary, OfEachBlockAndEachStream) {
  const std::string one = stream_header() + block(k4KiB);
  EXPECT_FALSE(check(one + block(k4GiB)));
  EXPECT_FALSE(check(one + full_block(k4KiB) + full_block(k4KiB) + block(k4GiB)));
  for (std::size_t padding : {0, 4, 5000}) {
    const std::string next = one + index(1) + std::string(padding, 0) + stream_header();
    EXPECT_TRUE(check(next + block(k4KiB) + block(k4KiB) + index(2)));
    EXPECT_FALSE(check(next + block(k4GiB))) << padding;
  }
  // Chunks that are longer than what is read at once.
  std::string lengthy = stream_header() + "\x02\x00\x21\x01\x00"s + std::string(7, 0);
  for (int i = 0; i < 3; ++i) lengthy += "\x01\xff\xff"s + std::string(65536, 'x');
  EXPECT_FALSE(check(lengthy + std::string(3 + 4, 0) + block(k4GiB)));
}

TEST(XzDictionary, KnowsTheLengthOfEachCheck) {
  const std::vector<std::size_t> bytes = {0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64};
  for (std::size_t kind = 0; kind < bytes.size(); ++kind) {
    std::string first = block(k4KiB);
    first.resize(first.size() - 4);
    first += std::string(bytes[kind], '\x7f');
    EXPECT_FALSE(check(stream_header(static_cast<char>(kind)) + first + block(k4GiB))) << kind;
  }
}

TEST(XzDictionary, LeavesDamageToTheReader) {
  const std::string whole = stream_header() + block(k4KiB) + index(1);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_TRUE(check(whole.substr(0, size))) << size;
  }
  EXPECT_TRUE(check(whole + "rubbish"));
  EXPECT_TRUE(check(stream_header() + "\x02\x00\x21\x01\x29"s + std::string(7, 0)));  // over 4 GiB
}

TEST(XzDictionary, BeginsWhereItIsTold) {
  EXPECT_FALSE(check("front" + stream_header() + block(k4GiB), 5));
}

}  // namespace
}  // namespace hearth::oci
