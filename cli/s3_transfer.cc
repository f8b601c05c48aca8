#include "cli/s3_transfer.h"

#include <algorithm>
#include <cerrno>
#include <iostream>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "platform/base/file.h"
#include "platform/base/random_id.h"
#include "platform/base/unique_fd.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kPartsMax = 10'000;
constexpr std::chrono::milliseconds kProgressInterval{100};

std::string mebibytes(double bytes) { return fmt::format("{:.1f} MiB", bytes / 1024 / 1024); }

// At most `size` bytes; fewer only at the end.
Result<std::string> read_piece(int fd, std::uint64_t size) {
  std::string out(size, '\0');
  std::size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t got = ::read(fd, out.data() + filled, out.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(errno, "reading what is to be uploaded"));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  out.resize(filled);
  return out;
}

Result<std::vector<S3Part>> put_parts(S3Client& client, int fd, const S3Location& to,
                                      const std::string& upload, std::string piece,
                                      std::uint64_t part_bytes, S3Progress& progress) {
  std::vector<S3Part> parts;
  while (!piece.empty()) {
    const auto size = piece.size();
    HEARTH_TRY(part,
               client.put_part(to, upload, static_cast<int>(parts.size()) + 1, std::move(piece)));
    parts.push_back(std::move(part));
    progress.add(size);
    HEARTH_TRY(next, read_piece(fd, part_bytes));
    piece = std::move(next);
  }
  return parts;
}

Status upload(S3Client& client, int fd, const S3Location& to, const std::string& content_type,
              std::uint64_t part_bytes, S3Progress& progress) {
  HEARTH_TRY(first, read_piece(fd, part_bytes));
  if (first.size() < part_bytes) {
    const auto size = first.size();
    HEARTH_CHECK_OK(client.put(to, std::move(first), content_type));
    progress.add(size);
    return {};
  }
  HEARTH_TRY(id, client.begin_upload(to, content_type));
  auto parts = put_parts(client, fd, to, id, std::move(first), part_bytes, progress);
  Status done = parts ? client.complete_upload(to, id, *parts) : Status(fail(parts.error()));
  // Parts that nobody completes take space until somebody aborts them. What went wrong first is
  // what the caller hears.
  if (!done) (void)client.abort_upload(to, id);
  return done;
}

std::string type_for(const std::string& content_type, const std::string& key) {
  return content_type.empty() ? std::string(content_type_of_name(key)) : content_type;
}

Status get_into(S3Client& client, const S3Location& from, int fd, S3Progress& progress) {
  Status written;
  const auto on_bytes = [&](std::string_view bytes) {
    written = base::write_all(fd, bytes);
    progress.add(bytes.size());
    return written.has_value();
  };
  HEARTH_CHECK_OK(client.get(from, on_bytes));
  return written;
}

}  // namespace

std::uint64_t part_bytes_for(std::uint64_t file_bytes) {
  const std::uint64_t needed = (file_bytes + kPartsMax - 1) / kPartsMax;
  return (std::max(kS3PartBytes, needed) + kS3PartBytes - 1) / kS3PartBytes * kS3PartBytes;
}

S3Progress::S3Progress(std::string what, std::uint64_t total)
    : what_(std::move(what)),
      total_(total),
      begin_(std::chrono::steady_clock::now()),
      shown_(begin_),
      terminal_(::isatty(STDERR_FILENO) != 0) {}

S3Progress::~S3Progress() {
  if (terminal_) std::cerr << "\r\033[K";
}

void S3Progress::add(std::uint64_t bytes) {
  done_ += bytes;
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || now - shown_ < kProgressInterval) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - begin_).count();
  std::cerr << fmt::format("\r\033[K{}: {}{}, {}/s", what_, mebibytes(static_cast<double>(done_)),
                           total_ == 0 ? "" : " of " + mebibytes(static_cast<double>(total_)),
                           mebibytes(static_cast<double>(done_) / seconds));
}

Status upload_file(S3Client& client, const fs::path& file, const S3Location& to,
                   const std::string& content_type) {
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error(errno, file.string()));
  std::error_code error;
  const std::uint64_t size = fs::file_size(file, error);
  if (error) return fail(system_error(error.value(), file.string()));
  S3Progress progress(file.string(), size);
  return upload(client, fd.get(), to, type_for(content_type, file.string()), part_bytes_for(size),
                progress);
}

Status upload_stream(S3Client& client, int fd, const S3Location& to,
                     const std::string& content_type) {
  S3Progress progress("standard input");
  return upload(client, fd, to, type_for(content_type, to.key), kS3PartBytes, progress);
}

Status download_file(S3Client& client, const S3Location& from, const fs::path& file) {
  std::error_code error;
  if (file.has_parent_path()) fs::create_directories(file.parent_path(), error);
  if (error) return fail(system_error(error.value(), file.parent_path().string()));
  const std::string partial = fmt::format("{}.{}.part", file.string(), base::random_hex(4));
  const base::UniqueFd fd(::open(partial.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!fd) return fail(system_error(errno, partial));
  S3Progress progress(from.text());
  const Status got = get_into(client, from, fd.get(), progress);
  if (got && ::rename(partial.c_str(), file.c_str()) == 0) return {};
  const int number = errno;
  ::unlink(partial.c_str());
  return got ? Status(fail(system_error(number, file.string()))) : got;
}

Status print_object(S3Client& client, const S3Location& from) {
  S3Progress progress(from.text());
  return client.get(from, [&progress](std::string_view bytes) {
    std::cout << bytes;
    std::cout.flush();
    progress.add(bytes.size());
    return std::cout.good();  // StandardOutput says what is wrong
  });
}

}  // namespace hearth::cli
