#include "platform/oci/archive_stream.h"

#include <array>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "platform/base/file.h"
#include "platform/base/unique_fd.h"

namespace hearth::oci {
namespace {

using namespace std::string_literals;
using Formats = StreamOptions::Formats;

constexpr std::uint64_t kMiB = 1024 * 1024;
const std::string kEnd(1024, '\0');

std::string padded(std::string bytes) {
  bytes.append((512 - bytes.size() % 512) % 512, '\0');
  return bytes;
}

std::string header(const std::string& name, std::size_t size, char type = '0') {
  std::string out(512, '\0');
  out.replace(0, name.size(), name);
  out.replace(100, 7, "0000644");
  out.replace(124, 11, fmt::format("{:011o}", size));
  out.replace(136, 11, "00000000000");
  out.replace(148, 8, "        ");
  out[156] = type;
  out.replace(257, 8, "ustar\00000"s);
  unsigned sum = 0;
  for (const char byte : out) sum += static_cast<unsigned char>(byte);
  out.replace(148, 7, fmt::format("{:06o}", sum) + "\0"s);
  return out;
}

std::string attribute(const std::string& key, const std::string& value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t size = rest;
  while (size != rest + std::to_string(size).size()) size = rest + std::to_string(size).size();
  return fmt::format("{} {}={}\n", size, key, value);
}

std::string attributes(const std::string& bytes) {
  return header("x", bytes.size(), 'x') + padded(bytes);
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): zlib's old interface
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string little_endian(std::uint32_t value) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(value >> shift & 0xffU);
  return out;
}

// A zip of one file "a" with the bytes "data", which say they are packed with `method`.
std::string zip(int method) {
  const auto sum = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>("data"), 4));
  const std::string common = "\x14\0\0\0"s + static_cast<char>(method) + "\0\0\0\0\0"s +
                             little_endian(sum) + little_endian(4) + little_endian(4) +
                             little_endian(1);
  const std::string local = "PK\3\4" + common + "adata";
  const std::string directory = "PK\1\2\x14\3" + common + std::string(14, '\0') + "a";
  return local + directory + "PK\5\6\0\0\0\0\1\0\1\0"s +
         little_endian(static_cast<std::uint32_t>(directory.size())) +
         little_endian(static_cast<std::uint32_t>(local.size())) + "\0\0"s;
}

// All of it; how many entries there are.
Result<int> read_all(const std::string& bytes,
                     StreamOptions options = {.unpacked_bytes_max = kMiB}) {
  const base::UniqueFd fd(::memfd_create("archive", MFD_CLOEXEC));
  EXPECT_TRUE(base::write_all(fd.get(), bytes));
  ::lseek(fd.get(), 0, SEEK_SET);
  ArchiveStream stream(fd.get(), options);
  HEARTH_CHECK_OK(stream.open());
  for (int entries = 0;; ++entries) {
    HEARTH_TRY(entry, stream.next());
    if (entry == nullptr) return entries;
    std::array<char, 4096> buffer{};
    while (true) {
      HEARTH_TRY(got, stream.read(buffer));
      if (got == 0) break;
    }
  }
}

TEST(ArchiveStream, CountsAllThatIsUnpacked) {
  std::string tar;
  for (int i = 0; i < 20; ++i) {
    tar += attributes(attribute("comment", std::string(100'000, 'x'))) + header("file", 0);
  }
  tar += kEnd;
  EXPECT_EQ(read_all(tar), 20);
  EXPECT_EQ(read_all(gzip(tar), {.unpacked_bytes_max = 3 * kMiB}), 20);
  const auto over = read_all(gzip(tar));
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().code, Code::kTooLarge);
  EXPECT_TRUE(over.error().message.contains("1048576")) << over.error().message;
}

// Ten million of its pieces would be a gigabyte of libarchive's lists.
TEST(ArchiveStream, TheMapOfASparseFileHasABound) {
  const auto sparse = [](std::size_t pieces) {
    std::string map = std::to_string(pieces) + "\n";
    for (; pieces > 0; --pieces) map += "0\n0\n";
    map = padded(map);
    return attributes(attribute("GNU.sparse.major", "1") + attribute("GNU.sparse.minor", "0") +
                      attribute("GNU.sparse.name", "f") + attribute("GNU.sparse.realsize", "10")) +
           header("f", map.size()) + map + kEnd;
  };
  EXPECT_EQ(read_all(sparse(1000)), 1);
  for (const std::string& bytes : {sparse(3'000'000), gzip(sparse(3'000'000))}) {
    const auto over = read_all(bytes, {.unpacked_bytes_max = 64 * kMiB});
    ASSERT_FALSE(over);
    EXPECT_EQ(over.error().code, Code::kTooLarge);
    EXPECT_TRUE(over.error().message.contains("headers")) << over.error().message;
  }
}

TEST(ArchiveStream, RefusesMethodsOfZipThatAskForMemory) {
  const StreamOptions options{.formats = Formats::kTarAndZip, .unpacked_bytes_max = kMiB};
  EXPECT_TRUE(read_all(zip(0), options)) << "stored";
  for (const int method : {8, 12}) {  // deflate, bzip2: "data" is neither
    EXPECT_EQ(read_all(zip(method), options).error().code, Code::kInvalid) << method;
  }
  for (const int method : {14, 95, 98, 99, 5}) {  // LZMA, xz, PPMd, encrypted, unknown
    EXPECT_EQ(read_all(zip(method), options).error().code, Code::kUnsupported) << method;
  }
}

TEST(ArchiveStream, UnpacksOnce) {
  const std::string tar = header("file", 0) + kEnd;
  EXPECT_EQ(read_all(gzip(tar)), 1);
  for (const std::string& inner : {gzip(tar), "\xfd"s + "7zXZ\0"s, "BZh91AY&SY"s}) {
    const auto twice = read_all(gzip(inner));
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().code, Code::kInvalid);
    EXPECT_TRUE(twice.error().message.contains("more than once")) << twice.error().message;
  }
}

TEST(ArchiveStream, WhatIsCutOffIsNoEnd) {
  const std::string whole = gzip(header("file", 4) + padded("data") + kEnd);
  EXPECT_EQ(read_all(whole), 1);
  EXPECT_EQ(read_all(whole.substr(0, whole.size() / 2)).error().code, Code::kInvalid);
}

}  // namespace
}  // namespace hearth::oci
