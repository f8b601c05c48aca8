#include "platform/oci/layer_writer.h"

#include <cerrno>
#include <memory>
#include <optional>
#include <vector>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <zlib.h>

#include "platform/base/hash.h"
#include "platform/base/unique_fd.h"
#include "platform/oci/manifest.h"
#include "platform/oci/path_bounds.h"

namespace hearth::oci {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
// Level 1: a function's layer is written far more often than it is moved.
constexpr int kGzipLevel = 1;
constexpr int kGzipWindowBits = 15 + 16;  // zlib: 16 asks for a gzip header, whose time is 0

struct FreeArchive {
  void operator()(archive* value) const { archive_write_free(value); }
};
struct FreeEntry {
  void operator()(archive_entry* value) const { archive_entry_free(value); }
};

// The way of the bytes: hash of the tar, compression, hash of the result, sink.
class Pipe {
 public:
  Pipe(Compression compression, const LayerWriter::Sink& sink) : sink_(sink) {
    if (compression == Compression::kNone) return;
    gzip_.emplace();
    deflateInit2(&*gzip_, kGzipLevel, Z_DEFLATED, kGzipWindowBits, 8, Z_DEFAULT_STRATEGY);
  }
  ~Pipe() {
    if (gzip_) deflateEnd(&*gzip_);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool write(std::string_view bytes) {
    plain_.update(bytes);
    return gzip_ ? deflate_all(bytes, Z_NO_FLUSH) : emit(bytes);
  }
  Status finish() {
    if (status_ && gzip_) deflate_all({}, Z_FINISH);
    return status_;
  }
  const Status& status() const { return status_; }
  WrittenLayer result() {
    return {.digest = Digest::from_raw(packed_.finish()),
            .diff_id = Digest::from_raw(plain_.finish()),
            .size = size_,
            .media_type = std::string(gzip_ ? kOciLayerGzip : kOciLayerTar)};
  }

 private:
  bool deflate_all(std::string_view bytes, int flush) {
    gzip_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    gzip_->avail_in = static_cast<uInt>(bytes.size());
    do {
      gzip_->next_out = reinterpret_cast<Bytef*>(buffer_.data());
      gzip_->avail_out = static_cast<uInt>(buffer_.size());
      ::deflate(&*gzip_, flush);
      if (!emit({buffer_.data(), buffer_.size() - gzip_->avail_out})) return false;
    } while (gzip_->avail_out == 0);
    return true;
  }
  bool emit(std::string_view bytes) {
    if (bytes.empty() || !status_) return status_.has_value();
    packed_.update(bytes);
    size_ += bytes.size();
    status_ = sink_(bytes);
    return status_.has_value();
  }

  const LayerWriter::Sink& sink_;
  std::optional<z_stream> gzip_;
  std::vector<char> buffer_ = std::vector<char>(kBufferBytes);
  base::Hasher plain_{base::HashAlgorithm::kSha256};
  base::Hasher packed_{base::HashAlgorithm::kSha256};
  std::uint64_t size_ = 0;
  Status status_;
};

la_ssize_t write_to_pipe(archive* writer, void* pipe, const void* bytes, std::size_t size) {
  if (static_cast<Pipe*>(pipe)->write({static_cast<const char*>(bytes), size})) {
    return static_cast<la_ssize_t>(size);
  }
  archive_set_error(writer, EIO, "the sink refused bytes");
  return -1;
}

Status archive_error(archive* writer, std::string_view path) {
  const char* text = archive_error_string(writer);
  return fail(Code::kInternal, fmt::format("writing {}: {}", path, text ? text : "unknown error"));
}

Status write_data(archive* writer, std::string_view bytes, std::string_view path) {
  while (!bytes.empty()) {
    const la_ssize_t put = archive_write_data(writer, bytes.data(), bytes.size());
    if (put <= 0) return archive_error(writer, path);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

// Exactly `size` bytes: a file that shrinks or grows meanwhile would tear the tar.
Status copy_file(archive* writer, int fd, std::uint64_t size, std::string_view path,
                 const Checkpoint& checkpoint) {
  std::vector<char> buffer(kBufferBytes);
  while (size > 0) {
    HEARTH_CHECK_OK(pass(checkpoint));
    const ssize_t got = ::read(fd, buffer.data(), std::min<std::uint64_t>(buffer.size(), size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(errno, path));
    if (got == 0) return fail(Code::kConflict, fmt::format("{} changed while it was read", path));
    HEARTH_CHECK_OK(write_data(writer, {buffer.data(), static_cast<std::size_t>(got)}, path));
    size -= static_cast<std::uint64_t>(got);
  }
  return {};
}

std::string normal(std::string_view path) {
  std::string out = std::filesystem::path("/" + std::string(path)).lexically_normal().string();
  out.erase(
      0, out.find_first_not_of('/') == std::string::npos ? out.size() : out.find_first_not_of('/'));
  if (out.ends_with('/')) out.pop_back();
  return out;
}

struct TarEntry {
  std::string_view path;
  unsigned type = AE_IFREG;
  unsigned mode = 0;
  std::uint64_t size = 0;
  std::time_t time = 0;
  std::string_view link_target;
};

Status write_header(archive* writer, const TarEntry& item) {
  const std::unique_ptr<archive_entry, FreeEntry> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), std::string(item.path).c_str());
  archive_entry_set_filetype(entry.get(), item.type);
  archive_entry_set_perm(entry.get(), static_cast<__LA_MODE_T>(item.mode));
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(item.size));
  archive_entry_set_mtime(entry.get(), item.time, 0);
  archive_entry_set_uid(entry.get(), 0);
  archive_entry_set_gid(entry.get(), 0);
  if (item.type == AE_IFLNK) {
    archive_entry_set_symlink(entry.get(), std::string(item.link_target).c_str());
  }
  if (archive_write_header(writer, entry.get()) < ARCHIVE_WARN) {
    return archive_error(writer, item.path);
  }
  return {};
}

Status write_file(archive* writer, TarEntry item, const std::filesystem::path& source,
                  const Checkpoint& checkpoint) {
  const base::UniqueFd fd(::open(source.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) return fail(system_error(errno, source.string()));
  if (!S_ISREG(status.st_mode)) {
    return fail(Code::kConflict, fmt::format("{} is no regular file any more", source.string()));
  }
  item.size = static_cast<std::uint64_t>(status.st_size);
  HEARTH_CHECK_OK(write_header(writer, item));
  return copy_file(writer, fd.get(), item.size, item.path, checkpoint);
}

}  // namespace

LayerWriter::LayerWriter(LayerOptions options, Sink sink)
    : options_(std::move(options)), sink_(std::move(sink)) {}

void LayerWriter::add(std::string_view path, Entry entry) {
  std::string key = normal(path);
  if (!key.empty()) entries_.insert_or_assign(std::move(key), std::move(entry));
}

void LayerWriter::add_file(std::string_view path, std::filesystem::path source, unsigned mode) {
  add(path, {.kind = Entry::Kind::kFile, .mode = mode, .source = std::move(source)});
}

void LayerWriter::add_bytes(std::string_view path, std::string bytes, unsigned mode) {
  add(path, {.kind = Entry::Kind::kBytes, .mode = mode, .bytes = std::move(bytes)});
}

void LayerWriter::add_directory(std::string_view path, unsigned mode) {
  add(path, {.kind = Entry::Kind::kDirectory, .mode = mode});
}

void LayerWriter::add_symlink(std::string_view path, std::string target) {
  add(path, {.kind = Entry::Kind::kSymlink, .mode = 0777, .bytes = std::move(target)});
}

void LayerWriter::add_whiteout(std::string_view path) {
  const std::filesystem::path whole(normal(path));
  add((whole.parent_path() / (".wh." + whole.filename().string())).string(),
      {.kind = Entry::Kind::kBytes, .mode = 0644});
}

unsigned LayerWriter::mode_of(const Entry& entry) const {
  if (entry.kind == Entry::Kind::kSymlink) return 0777;
  if (options_.modes == ModePolicy::kKeep) return entry.mode & 07777;
  return entry.kind == Entry::Kind::kDirectory || (entry.mode & 0111) != 0 ? 0755 : 0644;
}

void LayerWriter::add_parents() {
  // A parent sorts before its children, because it is a prefix of them: one that is there has its
  // own parents, so that each folder is looked at once.
  for (const auto& [path, entry] : entries_) {
    for (std::size_t at = path.rfind('/'); at != std::string::npos; at = path.rfind('/', at - 1)) {
      const Entry folder{.kind = Entry::Kind::kDirectory, .mode = 0755};
      if (!entries_.try_emplace(path.substr(0, at), folder).second) break;
    }
  }
}

Status LayerWriter::write(archive* writer, const std::string& path, const Entry& entry) const {
  TarEntry item{.path = path, .mode = mode_of(entry), .time = options_.time};
  switch (entry.kind) {
    case Entry::Kind::kFile:
      return write_file(writer, item, entry.source, options_.checkpoint);
    case Entry::Kind::kDirectory:
      item.type = AE_IFDIR;
      break;
    case Entry::Kind::kSymlink:
      item.type = AE_IFLNK;
      item.link_target = entry.bytes;
      break;
    case Entry::Kind::kBytes:
      item.size = entry.bytes.size();
      break;
  }
  HEARTH_CHECK_OK(write_header(writer, item));
  return item.size > 0 ? write_data(writer, entry.bytes, path) : Status();
}

Result<WrittenLayer> LayerWriter::finish() {
  for (const auto& [path, entry] : entries_) HEARTH_CHECK_OK(check_path(path));
  if (options_.parents == ParentPolicy::kAdd) add_parents();
  Pipe pipe(options_.compression, sink_);
  const std::unique_ptr<archive, FreeArchive> writer(archive_write_new());
  archive_write_set_format_pax_restricted(writer.get());
  archive_write_set_bytes_per_block(writer.get(), kBufferBytes);
  archive_write_set_bytes_in_last_block(writer.get(), 1);
  archive_write_open(writer.get(), &pipe, nullptr, write_to_pipe, nullptr);
  for (auto& [path, entry] : entries_) {
    HEARTH_CHECK_OK(pass(options_.checkpoint));
    const Status written = write(writer.get(), path, entry);
    // What the sink said is the reason; what the archive says then only follows from it.
    if (!pipe.status()) return fail(pipe.status().error());
    if (!written) return fail(written.error());
    entry.bytes = std::string();
  }
  if (archive_write_close(writer.get()) != ARCHIVE_OK) {
    return fail(archive_error(writer.get(), "the end of the layer").error());
  }
  HEARTH_CHECK_OK(pipe.finish());
  return pipe.result();
}

}  // namespace hearth::oci
