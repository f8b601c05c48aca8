#include "platform/base/file.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include "platform/base/failpoint.h"
#include "platform/base/random_id.h"
#include "platform/base/unique_fd.h"

namespace hearth::base {
namespace {

Status flush_directory(const std::filesystem::path& directory) {
  HEARTH_CHECK_OK(failpoint("file.directory_flush"));
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) {
    return fail(system_error(errno, fmt::format("flushing {}", directory.string())));
  }
  return {};
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& path, std::size_t bytes_max) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(system_error(errno, path.string()));
  std::string out;
  char buffer[64 * 1024];
  while (true) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(errno, path.string()));
    if (got == 0) return out;
    out.append(buffer, static_cast<std::size_t>(got));
    if (out.size() > bytes_max) {
      return fail(Code::kTooLarge, fmt::format("{} is over {} bytes", path.string(), bytes_max));
    }
  }
}

Status write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail(system_error(errno, "write"));
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return {};
}

namespace {

Status write_and_flush(int fd, std::string_view bytes) {
  HEARTH_CHECK_OK(failpoint("file.write", [&] {
    // The process dies next.
    (void)write_all(fd, bytes.substr(0, bytes.size() / 2));
  }));
  HEARTH_CHECK_OK(write_all(fd, bytes));
  HEARTH_CHECK_OK(failpoint("file.flush"));
  if (::fsync(fd) != 0) return fail(system_error(errno, "flush"));
  return {};
}

Status move_into_place(const std::filesystem::path& from, const std::filesystem::path& to) {
  HEARTH_CHECK_OK(failpoint("file.rename"));
  if (::rename(from.c_str(), to.c_str()) != 0) return fail(system_error(errno, "rename"));
  return {};
}

}  // namespace

Status write_file_atomically(const std::filesystem::path& path, std::string_view bytes,
                             unsigned mode) {
  const std::filesystem::path temporary = path.string() + ".tmp-" + random_hex(4);
  const UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd) return fail(system_error(errno, temporary.string()));
  Status written = write_and_flush(fd.get(), bytes);
  if (written) written = move_into_place(temporary, path);
  if (!written) {
    ::unlink(temporary.c_str());
    return fail(with_context(written.error(), fmt::format("writing {}", path.string())));
  }
  return flush_directory(path.has_parent_path() ? path.parent_path() : ".");
}

Status overwrite_file(const std::filesystem::path& path, std::string_view bytes) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd) return fail(system_error(errno, path.string()));
  HEARTH_CHECK_OK(write_all(fd.get(), bytes));
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes.size())) != 0 ||
      ::fchmod(fd.get(), 0644) != 0) {
    return fail(system_error(errno, path.string()));
  }
  return {};
}

Status make_private_directory(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  if (path.has_parent_path() && !std::filesystem::exists(path.parent_path(), error)) {
    HEARTH_CHECK_OK(make_private_directory(path.parent_path()));
  }
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(system_error(errno, fmt::format("creating {}", path.string())));
  }
  return {};
}

}  // namespace hearth::base
