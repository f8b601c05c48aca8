#include "platform/lambda/object_source.h"

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
#include "platform/base/text.h"
#include "platform/base/unique_fd.h"
#include "platform/oci/layer_reader.h"

namespace hearth::lambda {
namespace {

bool is_archive_name(std::string_view key) {
  for (const std::string_view ending : {".tar", ".tar.gz", ".tgz", ".tar.zst", ".zip"}) {
    if (base::lower(key).ends_with(ending)) return true;
  }
  return false;
}

Result<SourceTree> read_folder(const std::filesystem::path& root) {
  SourceTree out;
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(root, error);
       it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    if (error) break;
    if (!it->is_regular_file() || it->is_symlink()) continue;
    HEARTH_TRY(bytes, base::read_file(it->path(), limits::kContextBytesMax));
    out[std::filesystem::relative(it->path(), root, error).generic_string()] = std::move(bytes);
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

Result<SourceTree> unpack(const std::string& bytes, const std::filesystem::path& scratch) {
  const base::UniqueFd file(::memfd_create("archive", MFD_CLOEXEC));
  if (!file) return fail(system_error(errno, "memfd"));
  HEARTH_CHECK_OK(base::write_all(file.get(), bytes));
  ::lseek(file.get(), 0, SEEK_SET);
  const std::filesystem::path folder = scratch / ("archive-" + base::random_hex(6));
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  auto extracted = oci::extract_archive(file.get(), folder, {});
  auto tree = extracted ? read_folder(folder) : Result<SourceTree>(fail(extracted.error()));
  std::filesystem::remove_all(folder, error);
  if (!tree) return tree;
  return without_single_top(std::move(*tree));
}

}  // namespace

Task<Result<SourceTree>> fetch_objects(s3::Client& client, async::BlockingPool& pool,
                                       std::filesystem::path scratch, std::string bucket,
                                       std::string key) {
  if (!key.ends_with('/')) {
    HEARTH_CO_TRY(bytes, co_await client.get_object(bucket, key, limits::kContextBytesMax));
    if (is_archive_name(key)) {
      auto tree =
          co_await pool.run([moved = std::move(bytes), scratch] { return unpack(moved, scratch); });
      if (!tree) {
        co_return fail(with_context(tree.error(), fmt::format("s3://{}/{}", bucket, key)));
      }
      co_return tree;
    }
    co_return SourceTree{{key.substr(key.rfind('/') + 1), std::move(bytes)}};
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
