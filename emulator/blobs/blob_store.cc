#include "emulator/blobs/blob_store.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "platform/async/blocking.h"
#include "platform/base/bytes.h"
#include "platform/base/failpoint.h"
#include "platform/base/file.h"

namespace hearth::blobs {
namespace {

bool is_digest(std::string_view text) {
  return text.size() == 64 && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

Status flush_directory(const std::filesystem::path& path) {
  HEARTH_CHECK_OK(base::failpoint("blob.directory_flush"));
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return fail(system_error(errno, path.string()));
  return {};
}

}  // namespace

BlobWriter::BlobWriter(const BlobStore& store, base::UniqueFd file)
    : store_(&store), file_(std::move(file)) {}

Status BlobWriter::append(std::string_view bytes) {
  hasher_.update(bytes);
  size_ += bytes.size();
  HEARTH_CHECK_OK(base::failpoint("blob.write", [&] {
    // The process dies next.
    (void)base::write_all(file_.get(), bytes.substr(0, bytes.size() / 2));
  }));
  return base::write_all(file_.get(), bytes);
}

Task<Result<Blob>> BlobWriter::commit() {
  std::string digest = base::hex(hasher_.finish());
  co_return co_await store_->pool_.run(
      [store = store_, file = std::make_shared<base::UniqueFd>(std::move(file_)),
       digest = std::move(digest),
       size = size_] { return store->link(file->get(), digest, size); });
}

BlobStore::BlobStore(std::filesystem::path root, async::BlockingPool& pool)
    : root_(std::move(root)), pool_(pool) {}

Result<std::unique_ptr<BlobStore>> BlobStore::open(std::filesystem::path root,
                                                   async::BlockingPool& pool) {
  HEARTH_CHECK_OK(base::make_private_directory(root));
  for (int i = 0; i < 256; ++i) {
    HEARTH_CHECK_OK(base::make_private_directory(root / fmt::format("{:02x}", i)));
  }
  HEARTH_CHECK_OK(flush_directory(root));
  return std::unique_ptr<BlobStore>(new BlobStore(std::move(root), pool));
}

Result<BlobWriter> BlobStore::create() const {
  base::UniqueFd file(::open(root_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0400));
  if (!file) return fail(system_error(errno, "creating a blob"));
  return BlobWriter(*this, std::move(file));
}

Task<Result<Blob>> BlobStore::put(std::string bytes) const {
  auto writer = create();
  if (!writer) co_return fail(writer.error());
  HEARTH_CO_CHECK_OK(writer->append(bytes));
  co_return co_await writer->commit();
}

Result<Blob> BlobStore::link(int fd, std::string digest, std::uint64_t size) const {
  HEARTH_CHECK_OK(base::failpoint("blob.flush"));
  if (::fdatasync(fd) != 0) return fail(system_error(errno, "flushing a blob"));
  HEARTH_CHECK_OK(base::failpoint("blob.link"));
  const std::filesystem::path path = path_of(digest);
  const std::string self = fmt::format("/proc/self/fd/{}", fd);
  {
    const std::scoped_lock lock(names_);
    if (::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, path.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      if (errno != EEXIST) return fail(system_error(errno, "linking a blob"));
      // Known already: its new date keeps garbage collection away until the caller's metadata is
      // in. Whoever linked it may not have flushed the folder, or failed to: its name is flushed
      // below.
      ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
    }
  }
  HEARTH_CHECK_OK(flush_directory(path.parent_path()));
  return Blob{std::move(digest), size};
}

std::filesystem::path BlobStore::path_of(std::string_view digest) const {
  return root_ / digest.substr(0, 2) / digest;
}

Result<base::UniqueFd> BlobStore::open_blob(std::string_view digest) const {
  if (!is_digest(digest)) return fail(Code::kInvalid, fmt::format("\"{}\" is no digest", digest));
  base::UniqueFd fd(::open(path_of(digest).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error(errno, fmt::format("blob {}", digest)));
  return fd;
}

Result<std::string> BlobStore::read(std::string_view digest, std::size_t bytes_max) const {
  if (!is_digest(digest)) return fail(Code::kInvalid, fmt::format("\"{}\" is no digest", digest));
  return base::read_file(path_of(digest), bytes_max);
}

bool BlobStore::contains(std::string_view digest) const {
  return is_digest(digest) && ::access(path_of(digest).c_str(), F_OK) == 0;
}

Result<std::uint64_t> BlobStore::collect_garbage(
    const std::function<bool(std::string_view)>& is_live, std::chrono::seconds grace) const {
  std::uint64_t freed = 0;
  const std::time_t newest = ::time(nullptr) - grace.count();
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root_, error)) {
    const std::string name = entry.path().filename();
    struct stat status{};
    if (!is_digest(name) || is_live(name)) continue;
    // Somebody may be about to put the same bytes: between looking and removing nobody may touch
    // it.
    const std::scoped_lock lock(names_);
    if (::stat(entry.path().c_str(), &status) != 0 || status.st_mtime > newest) continue;
    if (::unlink(entry.path().c_str()) == 0) freed += static_cast<std::uint64_t>(status.st_size);
  }
  if (error) return fail(Code::kInternal, "listing blobs: " + error.message());
  return freed;
}

}  // namespace hearth::blobs
