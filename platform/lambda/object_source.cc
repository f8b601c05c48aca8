#include "platform/lambda/object_source.h"

#include <algorithm>
#include <initializer_list>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/async/blocking.h"
#include "platform/base/bytes.h"
#include "platform/base/file.h"
#include "platform/base/hash.h"
#include "platform/base/limits.h"
#include "platform/base/random_id.h"
#include "platform/base/remove_tree.h"
#include "platform/base/text.h"
#include "platform/base/unique_fd.h"
#include "platform/oci/archive_magic.h"
#include "platform/oci/layer_reader.h"
#include "platform/oci/path_bounds.h"

namespace hearth::lambda {
namespace {

using Endings = std::initializer_list<std::string_view>;

constexpr Endings kArchiveEndings = {".tar",  ".tar.gz", ".tgz", ".tar.zst", ".tar.bz2",
                                     ".tbz2", ".tar.xz", ".txz", ".zip"};
// Programs that are zips: they are run as they are.
constexpr Endings kZipPrograms = {".jar", ".war", ".pyz", ".whl", ".egg"};
constexpr const char* kArchivesTaken =
    "an archive may be a tar (.tar, .tar.gz, .tgz, .tar.zst, .tar.bz2, .tar.xz) or a .zip";

bool ends_in(std::string_view key, Endings endings) {
  const std::string name = base::lower(key);
  return std::ranges::any_of(endings, [&](std::string_view item) { return name.ends_with(item); });
}

// By its name or, as a key may be named anyhow, by its first bytes.
bool is_archive(std::string_view key, std::string_view bytes) {
  if (ends_in(key, kArchiveEndings)) return true;
  return !ends_in(key, kZipPrograms) && oci::archive_mark(bytes) == oci::ArchiveMark::kReadable;
}

Result<SourceTree> read_folder(const std::filesystem::path& root) {
  SourceTree out;
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(root, error);
       it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (error) break;
    if (!it->is_regular_file() || it->is_symlink()) continue;
    HEARTH_TRY(bytes, base::read_file(it->path(), limits::kContextBytesMax));
    out[it->path().lexically_relative(root).generic_string()] = std::move(bytes);
  }
  if (error) return fail(Code::kInternal, "reading an unpacked archive: " + error.message());
  return out;
}

// An archive with one folder at its top holds that folder's content, as "Download ZIP" makes them.
SourceTree without_single_top(SourceTree tree) {
  if (tree.empty()) return tree;
  const std::string first = tree.begin()->first;
  const std::string top = first.substr(0, first.find('/') + 1);
  if (top.empty()) return tree;
  for (const auto& [path, bytes] : tree) {
    if (!path.starts_with(top)) return tree;
  }
  SourceTree out;
  for (auto& [path, bytes] : tree) out[path.substr(top.size())] = std::move(bytes);
  return out;
}

// Takes the bytes along: packed and unpacked they are never in memory together.
Status extract(std::string bytes, const std::filesystem::path& folder) {
  const base::UniqueFd file(::memfd_create("archive", MFD_CLOEXEC));
  if (!file) return fail(system_error(errno, "memfd"));
  HEARTH_CHECK_OK(base::write_all(file.get(), bytes));
  bytes = std::string();
  ::lseek(file.get(), 0, SEEK_SET);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  HEARTH_CHECK_OK(oci::extract_archive(file.get(), folder, {}));
  return {};
}

Result<SourceTree> unpack(std::string bytes, const std::filesystem::path& scratch) {
  const std::filesystem::path folder = scratch / ("archive-" + base::random_hex(6));
  const Status extracted = extract(std::move(bytes), folder);
  auto tree = extracted ? read_folder(folder) : Result<SourceTree>(fail(extracted.error()));
  (void)base::remove_tree(folder);
  if (!tree) return tree;
  return without_single_top(std::move(*tree));
}

// What a key that is no prefix stands for.
Result<SourceTree> tree_of_object(const std::string& key, std::string bytes,
                                  const std::filesystem::path& scratch) {
  if (!is_archive(key, bytes)) {
    if (oci::archive_mark(bytes) == oci::ArchiveMark::kForeign) {
      return fail(Code::kUnsupported,
                  fmt::format("an archive of another kind; {}", kArchivesTaken));
    }
    return SourceTree{{key.substr(key.rfind('/') + 1), std::move(bytes)}};
  }
  auto tree = unpack(std::move(bytes), scratch);
  if (tree || tree.error().code != Code::kInvalid) return tree;
  Error error = std::move(tree).error();
  error.message += fmt::format("; {}", kArchivesTaken);
  return fail(std::move(error));
}

}  // namespace

Task<Result<SourceTree>> fetch_objects(s3::Client& client, async::BlockingPool& pool,
                                       std::filesystem::path scratch, std::string bucket,
                                       std::string key) {
  if (!key.ends_with('/')) {
    HEARTH_CO_TRY(bytes, co_await client.get_object(bucket, key, limits::kContextBytesMax));
    auto tree = co_await pool.run([key, moved = std::move(bytes), scratch]() mutable {
      return tree_of_object(key, std::move(moved), scratch);
    });
    if (!tree) co_return fail(with_context(tree.error(), fmt::format("s3://{}/{}", bucket, key)));
    co_return tree;
  }
  HEARTH_CO_TRY(objects, co_await client.list(bucket, key));
  SourceTree tree;
  std::size_t total = 0;
  for (const s3::ObjectInfo& object : objects) {
    const std::string path = object.key.substr(key.size());
    if (path.empty() || path.ends_with('/')) continue;
    for (const std::string_view part : base::split(path, '/')) {
      if (part.empty() || part == "." || part == "..") {
        co_return fail(Code::kForbidden,
                       fmt::format("object {} would leave the source's folder", object.key));
      }
    }
    HEARTH_CO_CHECK_OK(oci::check_path(path));
    total += object.size;
    if (total > limits::kContextBytesMax || tree.size() >= limits::kContextFilesMax) {
      co_return fail(Code::kTooLarge,
                     fmt::format("the prefix {}/{} is over the limits of a source", bucket, key));
    }
    HEARTH_CO_TRY(bytes, co_await client.get_object(bucket, object.key, limits::kContextBytesMax));
    tree[path] = std::move(bytes);
  }
  if (tree.empty()) {
    co_return fail(Code::kNotFound, fmt::format("no objects under {}/{}", bucket, key));
  }
  co_return tree;
}

Task<Result<std::string>> version_of_objects(s3::Client& client, std::string bucket,
                                             std::string key) {
  HEARTH_CO_TRY(objects, co_await client.list(bucket, key));
  base::Hasher hasher(base::HashAlgorithm::kSha256);
  std::size_t count = 0;
  for (const s3::ObjectInfo& object : objects) {
    if (!key.ends_with('/') && object.key != key) continue;
    hasher.update(
        fmt::format("{}:{}\n{} {}\n", object.key.size(), object.key, object.etag, object.size));
    ++count;
  }
  if (count == 0) co_return fail(Code::kNotFound, fmt::format("no objects at {}/{}", bucket, key));
  co_return base::hex(hasher.finish()).substr(0, 16);
}

}  // namespace hearth::lambda
