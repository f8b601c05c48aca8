#include <fstream>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "platform/base/file.h"
#include "platform/base/limits.h"
#include "platform/base/random_id.h"
#include "platform/base/unique_fd.h"
#include "platform/oci/layer_reader.h"
#include "platform/oci/layer_writer.h"

namespace hearth::oci {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

class LayerTest : public testing::Test {
 public:
  LayerTest() : root_(fs::path(testing::TempDir()) / ("layer-" + base::random_hex(6))) {
    fs::create_directories(out());
  }
  ~LayerTest() override { fs::remove_all(root_); }

 protected:
  fs::path out() const { return root_ / "out"; }

  fs::path put(const std::string& name, const std::string& bytes) {
    std::ofstream(root_ / name) << bytes;
    return root_ / name;
  }

  Result<Extracted> unpack(const std::string& bytes, ExtractOptions options = {}) {
    const fs::path file = put("archive", bytes);
    const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    return extract_archive(fd.get(), out(), options);
  }

  fs::path root_;
};

struct Item {
  std::string path;
  unsigned type = AE_IFREG;
  std::string data;  // content or link target
  bool hard = false;
};

// An archive as an attacker writes it: nothing is checked or sorted.
std::string raw_archive(const std::vector<Item>& items, int (*set_format)(archive*)) {
  std::string out(4 * 1024 * 1024, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  set_format(writer);
  archive_write_open_memory(writer, out.data(), out.size(), &used);
  for (const Item& item : items) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, item.path.c_str());
    archive_entry_set_filetype(entry, item.type);
    archive_entry_set_perm(entry, 0644);
    if (item.hard) {
      archive_entry_set_hardlink(entry, item.data.c_str());
    } else if (item.type == AE_IFLNK) {
      archive_entry_set_symlink(entry, item.data.c_str());
    } else if (item.type == AE_IFREG) {
      archive_entry_set_size(entry, static_cast<la_int64_t>(item.data.size()));
    }
    archive_write_header(writer, entry);
    if (item.type == AE_IFREG && !item.hard) {
      archive_write_data(writer, item.data.data(), item.data.size());
    }
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

std::string raw_tar(const std::vector<Item>& items) {
  return raw_archive(items, archive_write_set_format_pax_restricted);
}

std::string gzip(const std::string& bytes) {
  std::string out(bytes.size() + 1024, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  archive_write_set_format_raw(writer);
  archive_write_add_filter_gzip(writer);
  archive_write_open_memory(writer, out.data(), out.size(), &used);
  archive_entry* entry = archive_entry_new();
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_write_header(writer, entry);
  archive_write_data(writer, bytes.data(), bytes.size());
  archive_entry_free(entry);
  archive_write_close(writer);
  archive_write_free(writer);
  out.resize(used);
  return out;
}

WrittenLayer write_sample(const fs::path& file, bool reversed, std::string& bytes,
                          LayerOptions options = {}) {
  LayerWriter writer(options, [&](std::string_view piece) {
    bytes.append(piece);
    return Status();
  });
  const auto add = [&](int i) {
    if (i == 0) writer.add_file("app/main.py", file, 0600);
    if (i == 1) writer.add_bytes("/app/b", "two", 0755);
    if (i == 2) writer.add_symlink("app/link", "main.py");
    if (i == 3) writer.add_whiteout("app/old");
  };
  for (int i = 0; i < 4; ++i) add(reversed ? 3 - i : i);
  return writer.finish().value();
}

TEST_F(LayerTest, EqualContentGivesEqualBytes) {
  std::string first;
  std::string second;
  const WrittenLayer a = write_sample(put("x", "print(1)\n"), false, first);
  const fs::path other = put("y", "print(1)\n");
  fs::permissions(other, fs::perms::owner_read);
  fs::last_write_time(other, fs::file_time_type::clock::now() - std::chrono::hours(1));
  const WrittenLayer b = write_sample(other, true, second);
  EXPECT_EQ(a.digest, b.digest);
  EXPECT_EQ(first, second);
  EXPECT_EQ(a.digest, Digest::of(first));
  EXPECT_EQ(a.size, first.size());
}

TEST_F(LayerTest, DiffIdIsTheDigestOfThePlainTar) {
  std::string plain;
  std::string packed;
  const fs::path file = put("x", "print(1)\n");
  const WrittenLayer a = write_sample(file, false, plain, {.compression = Compression::kNone});
  const WrittenLayer b = write_sample(file, false, packed);
  EXPECT_EQ(a.diff_id, a.digest);
  EXPECT_EQ(b.diff_id, a.diff_id);
  EXPECT_NE(b.digest, a.digest);
}

TEST_F(LayerTest, UnpacksWhatItWroteAndAppliesWhiteouts) {
  fs::create_directories(out() / "app/old/deep");
  std::string bytes;
  write_sample(put("x", "print(1)\n"), false, bytes);
  ASSERT_TRUE(unpack(bytes, {.kind = ExtractOptions::Kind::kImageLayer}));
  EXPECT_EQ(base::read_file(out() / "app/main.py").value(), "print(1)\n");
  EXPECT_EQ(base::read_file(out() / "app/link").value(), "print(1)\n");
  EXPECT_FALSE(fs::exists(out() / "app/old"));
  struct stat status{};
  ASSERT_EQ(::stat((out() / "app/b").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0755U);
}

TEST_F(LayerTest, OpaqueWhiteoutEmptiesTheFolder) {
  fs::create_directories(out() / "app/old");
  ASSERT_TRUE(unpack(raw_tar({{"app/.wh..wh..opq"}, {"app/new", AE_IFREG, "n"}}),
                     {.kind = ExtractOptions::Kind::kImageLayer}));
  EXPECT_FALSE(fs::exists(out() / "app/old"));
  EXPECT_TRUE(fs::exists(out() / "app/new"));
}

TEST_F(LayerTest, RefusesToLeaveTheFolder) {
  const std::vector<std::vector<Item>> attacks = {
      {{"../evil", AE_IFREG, "x"}},
      {{"a/../../evil", AE_IFREG, "x"}},
      {{"/tmp/evil", AE_IFREG, "x"}},
      {{"link", AE_IFLNK, "/tmp"}},
      {{"a/link", AE_IFLNK, "../../x"}},
      {{"in", AE_IFLNK, "."}, {"in/evil", AE_IFREG, "x"}},
      {{"hard", AE_IFREG, "../../../etc/passwd", true}},
      {{"hard", AE_IFREG, "/etc/passwd", true}},
      {{"a/b/up", AE_IFLNK, "../.."}, {"a/b/out", AE_IFLNK, "up/../evil"}},
      {{"null", AE_IFCHR}},
      {{"pipe", AE_IFIFO}},
  };
  for (const auto& attack : attacks) {
    const auto result = unpack(raw_tar(attack));
    ASSERT_FALSE(result) << attack.back().path;
    EXPECT_EQ(result.error().code, Code::kForbidden) << result.error().message;
  }
  EXPECT_FALSE(fs::exists(root_ / "evil"));
  EXPECT_FALSE(fs::exists("/tmp/evil"));
}

TEST_F(LayerTest, AWhiteoutRemovesOnlyEntriesOfItsFolder) {
  put("beside", "kept");
  fs::create_directories(out() / "app");
  for (const char* name : {".wh...", ".wh..", ".wh.", "app/.wh...", "app/.wh..", "app/.wh."}) {
    const auto result = unpack(raw_tar({{name}}), {.kind = ExtractOptions::Kind::kImageLayer});
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code, Code::kForbidden) << name;
  }
  EXPECT_TRUE(fs::exists(root_ / "beside"));
  EXPECT_TRUE(fs::exists(out() / "app"));
}

TEST_F(LayerTest, LayersResolveLinksWithinTheirRoot) {
  const ExtractOptions layer{.kind = ExtractOptions::Kind::kImageLayer};
  ASSERT_TRUE(unpack(
      raw_tar({{"usr/lib", AE_IFDIR}, {"lib", AE_IFLNK, "/usr/lib"}, {"lib/x.so", AE_IFREG, "so"}}),
      layer));
  EXPECT_EQ(base::read_file(out() / "usr/lib/x.so").value(), "so");
  // A link that climbs out ends at the image's root, never above it.
  fs::create_directories(root_ / "outside");
  const auto climbing =
      unpack(raw_tar({{"up", AE_IFLNK, "../outside"}, {"up/evil", AE_IFREG, "x"}}), layer);
  EXPECT_FALSE(fs::exists(root_ / "outside/evil"));
}

TEST_F(LayerTest, KeepsTheLimits) {
  EXPECT_EQ(unpack(raw_tar({{"a"}, {"b"}, {"c"}}), {.files_max = 2}).error().code, Code::kTooLarge);
  EXPECT_EQ(
      unpack(raw_tar({{"a", AE_IFREG, std::string(5000, 'x')}}), {.bytes_max = 4096}).error().code,
      Code::kTooLarge);
}

TEST_F(LayerTest, CountsTheFolderItselfFromItsSecondTimeOn) {
  const Item root{"./", AE_IFDIR};
  EXPECT_EQ(unpack(raw_tar({root, {"a"}, {"b"}}), {.files_max = 2})->files, 2U);
  const std::string many = raw_tar(std::vector<Item>(1000, root));
  for (const std::string& bytes : {many, gzip(many)}) {
    EXPECT_EQ(unpack(bytes, {.files_max = 100}).error().code, Code::kTooLarge);
  }
}

TEST_F(LayerTest, RefusesPathsThatAreTooDeepOrTooLong) {
  std::string deep = "x";
  for (std::size_t i = 0; i < limits::kPathDepthMax; ++i) deep.insert(0, "d/");
  const std::string lengthy = std::string(200, 'n') + "/" + std::string(limits::kPathBytesMax, 'n');
  for (const std::string& path : {deep, lengthy}) {
    for (auto* format : {archive_write_set_format_pax_restricted, archive_write_set_format_zip}) {
      const auto result = unpack(raw_archive({{path, AE_IFREG, "x"}}, format));
      ASSERT_FALSE(result);
      EXPECT_EQ(result.error().code, Code::kTooLarge) << result.error().message;
      EXPECT_TRUE(result.error().message.starts_with(path.substr(0, 20)));
    }
    LayerWriter writer({}, [](std::string_view) { return Status(); });
    writer.add_bytes(path, "x", 0644);
    EXPECT_EQ(writer.finish().error().code, Code::kTooLarge);
  }
  EXPECT_TRUE(unpack(raw_tar({{deep.substr(2), AE_IFREG, "x"}})));
}

TEST_F(LayerTest, RefusesPathsThatAreTooDeepThroughLinks) {
  const ExtractOptions layer{.kind = ExtractOptions::Kind::kImageLayer};
  std::string deep = "d";
  for (std::size_t i = 2; i < limits::kPathDepthMax; ++i) deep += "/d";
  const std::vector<Item> link = {{deep + "/file", AE_IFREG, "x"}, {"l1", AE_IFLNK, deep}};
  ASSERT_TRUE(unpack(raw_tar(link), layer));
  EXPECT_TRUE(unpack(raw_tar({{"l1/other", AE_IFREG, "x"}}), layer));
  EXPECT_TRUE(fs::exists(out() / deep / "other"));
  for (const char* path : {"l1/d/file", "l1/d/d/d/file"}) {
    const auto result = unpack(raw_tar({{path, AE_IFREG, "x"}}), layer);
    ASSERT_FALSE(result) << path;
    EXPECT_EQ(result.error().code, Code::kTooLarge) << result.error().message;
    EXPECT_TRUE(result.error().message.starts_with(path)) << result.error().message;
  }
  EXPECT_FALSE(fs::exists(out() / deep / "d/d"));  // nor made on the way
}

TEST_F(LayerTest, MessagesShowTheBeginningOfLongNames) {
  const std::string lengthy(100'000, 'n');
  const std::vector<std::vector<Item>> archives = {
      {{"/" + lengthy}},
      {{"../" + lengthy}},
      {{"link", AE_IFLNK, "/" + lengthy}},
      {{"hard", AE_IFREG, lengthy.substr(0, 2000), true}},
      {{lengthy.substr(0, 2000) + "/file"}},
  };
  for (const auto& items : archives) {
    const auto result = unpack(raw_tar(items));
    ASSERT_FALSE(result);
    EXPECT_LT(result.error().message.size(), 600U) << result.error().message.substr(0, 50);
  }
}

TEST_F(LayerTest, CountsFoldersThatNoEntryNames) {
  const std::string tar = raw_tar({{"a/b/c/file", AE_IFREG, "x"}});
  EXPECT_EQ(unpack(tar, {.files_max = 3}).error().code, Code::kTooLarge);
  fs::remove_all(out() / "a");
  EXPECT_EQ(unpack(tar, {.files_max = 4})->files, 4U);
}

TEST_F(LayerTest, AddsEachFolderAboveItsEntriesOnce) {
  std::string tar;
  LayerWriter writer({.compression = Compression::kNone}, [&](std::string_view piece) {
    tar.append(piece);
    return Status();
  });
  writer.add_directory("a/b", 0700);
  writer.add_bytes("a/b/c/1", "x", 0644);
  writer.add_bytes("a/b/c/2", "x", 0644);
  writer.add_bytes("a-b/3", "x", 0644);
  ASSERT_TRUE(writer.finish());
  EXPECT_EQ(unpack(tar)->files, 7U);  // a, a-b, a-b/3, a/b, a/b/c, a/b/c/1, a/b/c/2
}

TEST_F(LayerTest, ACheckpointEndsReadingAndWriting) {
  int left = 2;
  const Checkpoint checkpoint = [&left]() -> Status {
    if (left-- > 0) return {};
    return fail(Code::kCancelled, "enough");
  };
  const std::string tar = raw_tar({{"a"}, {"b"}, {"c"}});
  EXPECT_EQ(unpack(tar, {.checkpoint = checkpoint}).error().code, Code::kCancelled);
  EXPECT_TRUE(fs::exists(out() / "b"));
  EXPECT_FALSE(fs::exists(out() / "c"));
  // In the middle of a file, too.
  left = 2;
  LayerWriter writer({.checkpoint = checkpoint}, [](std::string_view) { return Status(); });
  writer.add_file("large", put("large", std::string(1024 * 1024, 'x')), 0644);
  EXPECT_EQ(writer.finish().error().code, Code::kCancelled);
  EXPECT_EQ(left, -1);
}

TEST_F(LayerTest, StopsABombEarly) {
  // 3 MB of zeros in a few kB: the limit counts what comes out.
  std::string packed;
  LayerWriter writer({}, [&](std::string_view piece) {
    packed.append(piece);
    return Status();
  });
  writer.add_bytes("bomb", std::string(3 * 1024 * 1024, '\0'), 0644);
  ASSERT_TRUE(writer.finish());
  EXPECT_LT(packed.size(), 100'000U);
  EXPECT_EQ(unpack(packed, {.bytes_max = 1024 * 1024}).error().code, Code::kTooLarge);
}

TEST_F(LayerTest, RefusesWhatIsCompressedMoreThanOnce) {
  const std::string tar = raw_tar({{"a", AE_IFREG, "x"}});
  EXPECT_TRUE(unpack(gzip(tar)));
  EXPECT_EQ(unpack(gzip(gzip(tar))).error().code, Code::kInvalid);
}

TEST_F(LayerTest, UnpacksTheZipsOfUsers) {
  const std::string zip = raw_archive(
      {{"top", AE_IFDIR}, {"top/a.py", AE_IFREG, "print(1)"}, {"top/link", AE_IFLNK, "a.py"}},
      archive_write_set_format_zip);
  ASSERT_TRUE(unpack(zip));
  EXPECT_EQ(base::read_file(out() / "top/link").value(), "print(1)");
  EXPECT_FALSE(unpack(zip, {.kind = ExtractOptions::Kind::kImageLayer}));
  const std::string leaving =
      raw_archive({{"../evil", AE_IFREG, "x"}}, archive_write_set_format_zip);
  EXPECT_EQ(unpack(leaving).error().code, Code::kForbidden);
  EXPECT_FALSE(fs::exists(root_ / "evil"));
}

TEST_F(LayerTest, RefusesWhatIsNoArchive) {
  EXPECT_EQ(unpack("#!/bin/sh\necho no archive\n").error().code, Code::kInvalid);
  EXPECT_FALSE(is_archive(put("text", "hello")));
  EXPECT_TRUE(is_archive(put("tar", raw_tar({{"a", AE_IFREG, "x"}}))));
  EXPECT_TRUE(is_archive(put("packed", gzip(raw_tar({{"a", AE_IFREG, "x"}})))));
}

TEST_F(LayerTest, RefusesAnXzThatAsksForGigabytes) {
  const std::string xz = "\xfd"s + "7zXZ\0\0\1"s + std::string(4, '\0') + "\2\0\x21\1\x28"s;
  for (const auto kind : {ExtractOptions::Kind::kBuildContext, ExtractOptions::Kind::kImageLayer}) {
    const auto result = unpack(xz, {.kind = kind});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::kTooLarge);
    EXPECT_TRUE(result.error().message.contains("4294967295")) << result.error().message;
  }
  EXPECT_TRUE(is_archive(put("xz", xz)));  // for the reason to be told
}

TEST_F(LayerTest, ADamagedHeaderIsToldAsSuch) {
  std::string tar = raw_tar({{"first"}, {"second"}});
  tar[tar.find("second")] = 'S';  // its sum says otherwise
  const auto result = unpack(tar);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::kInvalid);
  EXPECT_TRUE(result.error().message.starts_with("reading: ")) << result.error().message;
}

TEST_F(LayerTest, AFileWithoutAnEntryIsNoArchiveToUnpack) {
  EXPECT_FALSE(is_archive(put("zeros", std::string(10'240, '\0'))));
  EXPECT_FALSE(is_archive(put("empty", "")));
  std::string damaged = raw_tar({{"a", AE_IFREG, "x"}});
  damaged[0] = 'A';  // its sum says otherwise
  EXPECT_FALSE(is_archive(put("damaged", damaged)));
}

}  // namespace
}  // namespace hearth::oci
