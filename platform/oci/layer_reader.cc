#include "platform/oci/layer_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "platform/base/file.h"
#include "platform/base/remove_tree.h"
#include "platform/base/text.h"
#include "platform/base/unique_fd.h"
#include "platform/oci/archive_stream.h"
#include "platform/oci/path_bounds.h"

namespace hearth::oci {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::size_t kBufferSize = 256UL * 1024;

// What an entry's header may cost on average: the header, a long name, attributes, padding.
constexpr std::uint64_t kHeaderBytes = 8192;

StreamOptions stream_options(const ExtractOptions& options) {
  using Formats = StreamOptions::Formats;
  const std::uint64_t headers = (options.files_max + 1) * kHeaderBytes;
  const std::uint64_t room = std::numeric_limits<std::uint64_t>::max() - headers;
  return {.formats = options.kind == ExtractOptions::Kind::kBuildContext ? Formats::kTarAndZip
                                                                         : Formats::kTar,
          .unpacked_bytes_max = std::min(options.bytes_max, room) + headers};
}

// The components of an entry's path; "./" and trailing slashes are dropped, "" is the root itself.
Result<std::vector<std::string>> safe_components(std::string_view path) {
  if (path.starts_with('/')) return fail(Code::kForbidden, shown(path) + ": absolute path");
  HEARTH_CHECK_OK(check_path(path));
  std::vector<std::string> out;
  for (const std::string_view part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") return fail(Code::kForbidden, shown(path) + ": leaves the folder");
    out.emplace_back(part);
  }
  return out;
}

// Would a link in a folder `depth` below the root stay in the tree? No link is followed to tell: so
// ".." may only stand in front, as behind a name it means the parent of wherever that name leads.
bool stays_inside(std::size_t depth, std::string_view target) {
  if (target.starts_with('/')) return false;
  bool named = false;
  for (const std::string_view part : base::split(target, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      named = true;
    } else if (named || depth-- == 0) {
      return false;
    }
  }
  return true;
}

int open_in_root(int root, const char* path) {
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, path, &how, sizeof how));
}

// Where the kernel says that a folder is.
Result<std::string> path_of(int folder) {
  std::array<char, PATH_MAX> path{};
  const ssize_t got =
      ::readlink(fmt::format("/proc/self/fd/{}", folder).c_str(), path.data(), path.size());
  if (got < 0) return fail(system_error(errno, "finding out where a link leads"));
  return std::string(path.data(), static_cast<std::size_t>(got));
}

// An open folder below the root and its path there, in which no component is a link.
struct Place {
  base::UniqueFd fd;
  std::string path;

  std::string path_to(std::string_view name) const {
    return path.empty() ? std::string(name) : fmt::format("{}/{}", path, name);
  }
};

class Extractor {
 public:
  Extractor(ArchiveStream& stream, int root, const ExtractOptions& options)
      : stream_(stream), root_(root), options_(options) {}

  Result<Extracted> run() {
    while (true) {
      HEARTH_TRY(entry, stream_.next());
      if (entry == nullptr) break;
      HEARTH_CHECK_OK(pass(options_.checkpoint));
      HEARTH_CHECK_OK(extract(entry));
      // What has data and no use for them (a folder, a second name) is unpacked all the same.
      HEARTH_CHECK_OK(each_piece([](std::string_view) { return Status(); }));
    }
    HEARTH_CHECK_OK(apply_directory_modes());
    return done_;
  }

 private:
  bool is_layer() const { return options_.kind == ExtractOptions::Kind::kImageLayer; }

  Status extract(archive_entry* entry) {
    const char* path = archive_entry_pathname(entry);
    if (path == nullptr) return fail(Code::kInvalid, "an entry without a path");
    HEARTH_TRY(parts, safe_components(path));
    // "./", the folder itself, is no file; but each of a million of them is a header to read.
    if (parts.empty() && !std::exchange(root_seen_, true)) return {};
    HEARTH_CHECK_OK(count_one());
    if (parts.empty()) return {};
    const std::string name = std::move(parts.back());
    parts.pop_back();
    const Status status = extract_to(entry, parts, name);
    return status ? Status() : fail(with_context(status.error(), shown(path)));
  }

  Status extract_to(archive_entry* entry, const std::vector<std::string>& parents,
                    const std::string& name) {
    HEARTH_TRY(parent, open_parent(parents));
    // Through links it may be deeper than it says.
    HEARTH_CHECK_OK(check_path(parent.path_to(name)));
    if (is_layer() && name.starts_with(kWhiteout)) return white_out(parent.fd.get(), name);
    return create(entry, parent.fd.get(), name, parents);
  }

  Status count_one() {
    if (++done_.files <= options_.files_max) return {};
    return fail(Code::kTooLarge, fmt::format("over {} files", options_.files_max));
  }

  Status create(archive_entry* entry, int parent, const std::string& name,
                const std::vector<std::string>& parents) {
    if (const char* target = archive_entry_hardlink(entry)) {
      return hard_link(target, parent, name);
    }
    switch (archive_entry_filetype(entry)) {
      case AE_IFREG:
        return file(entry, parent, name);
      case AE_IFDIR:
        return directory(entry, parent, name, parents);
      case AE_IFLNK:
        return symbolic_link(entry, parent, name, parents.size());
      default:
        return fail(Code::kForbidden, "devices, sockets and pipes are refused");
    }
  }

  // Opens the folder of an entry, creating what is missing.
  Result<Place> open_parent(const std::vector<std::string>& parts) {
    Place current{base::UniqueFd(::openat(root_, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)), {}};
    if (!current.fd) return fail(system_error(errno, "opening the folder"));
    std::string walked;
    for (const std::string& part : parts) {
      walked += (walked.empty() ? "" : "/") + part;
      HEARTH_TRY(next, open_step(current, part, walked));
      current = std::move(next);
    }
    return current;
  }

  Result<Place> open_step(const Place& parent, const std::string& part, const std::string& walked) {
    constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    Place next{base::UniqueFd(::openat(parent.fd.get(), part.c_str(), kFlags)),
               parent.path_to(part)};
    if (!next.fd && errno == ENOENT) {
      HEARTH_CHECK_OK(count_one());
      HEARTH_CHECK_OK(check_path(next.path));
      if (::mkdirat(parent.fd.get(), part.c_str(), 0755) != 0) {
        return fail(system_error(errno, "mkdir"));
      }
      next.fd = base::UniqueFd(::openat(parent.fd.get(), part.c_str(), kFlags));
    }
    if (next.fd) return next;
    // ENOTDIR or ELOOP: a file or a link stands there.
    if (is_layer()) {
      base::UniqueFd linked(open_in_root(root_, walked.c_str()));
      if (linked) return place_of(std::move(linked));
    }
    return fail(Code::kForbidden, fmt::format("its parent {} is no folder", shown(walked)));
  }

  Result<Place> place_of(base::UniqueFd folder) const {
    HEARTH_TRY(root, path_of(root_));
    HEARTH_TRY(path, path_of(folder.get()));
    if (path == root) return Place{std::move(folder), {}};
    if (!root.ends_with('/')) root += '/';
    if (!path.starts_with(root)) return fail(Code::kForbidden, "its parent is out of the folder");
    return Place{std::move(folder), path.substr(root.size())};
  }

  // What stands in the way of a new entry goes, as with tar; a folder with content stays.
  static Status make_room(int parent, const std::string& name) {
    if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return {};
    if (errno == EISDIR || errno == EPERM) {
      return base::remove_tree(fs::path(fmt::format("/proc/self/fd/{}", parent)) / name);
    }
    return fail(system_error(errno, "replacing"));
  }

  Status file(archive_entry* entry, int parent, const std::string& name) {
    const la_int64_t declared = archive_entry_size(entry);
    if (declared > 0 && done_.bytes + static_cast<std::uint64_t>(declared) > options_.bytes_max) {
      return fail(Code::kTooLarge, fmt::format("over {} bytes", options_.bytes_max));
    }
    HEARTH_CHECK_OK(make_room(parent, name));
    const base::UniqueFd fd(
        ::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) return fail(system_error(errno, "creating"));
    HEARTH_CHECK_OK(
        each_piece([&](std::string_view piece) { return base::write_all(fd.get(), piece); }));
    // Set-id bits of strangers' archives are never wanted in a context.
    const unsigned mode = archive_entry_perm(entry) & (is_layer() ? 07777U : 0777U);
    if (::fchmod(fd.get(), mode | (is_layer() ? 0U : 0400U)) != 0) {
      return fail(system_error(errno, "chmod"));
    }
    const timespec times[2] = {{archive_entry_mtime(entry), 0}, {archive_entry_mtime(entry), 0}};
    ::futimens(fd.get(), times);
    return {};
  }

  // The rest of the entry's data, counted.
  template <typename Take>
  Status each_piece(Take take) {
    while (true) {
      HEARTH_TRY(got, stream_.read(buffer_));
      if (got == 0) return {};
      HEARTH_CHECK_OK(pass(options_.checkpoint));
      done_.bytes += got;
      if (done_.bytes > options_.bytes_max) {
        return fail(Code::kTooLarge, fmt::format("over {} bytes", options_.bytes_max));
      }
      HEARTH_CHECK_OK(take(std::string_view(buffer_.data(), got)));
    }
  }

  Status directory(archive_entry* entry, int parent, const std::string& name,
                   const std::vector<std::string>& parents) {
    struct stat status{};
    const bool exists = ::fstatat(parent, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    // A layer may repeat a folder that is a link in the root ("lib" where lib -> usr/lib).
    if (exists && S_ISLNK(status.st_mode) && is_layer()) return {};
    if (exists && !S_ISDIR(status.st_mode)) HEARTH_CHECK_OK(make_room(parent, name));
    if ((!exists || !S_ISDIR(status.st_mode)) && ::mkdirat(parent, name.c_str(), 0755) != 0) {
      return fail(system_error(errno, "mkdir"));
    }
    // A folder that its owner may not write would stop its own entries: modes come at the end.
    std::string path = base::join(parents, "/");
    path += (path.empty() ? "" : "/") + name;
    directory_modes_.emplace_back(std::move(path), archive_entry_perm(entry));
    return {};
  }

  Status symbolic_link(archive_entry* entry, int parent, const std::string& name,
                       std::size_t depth) {
    const char* target = archive_entry_symlink(entry);
    if (target == nullptr || *target == '\0') return fail(Code::kInvalid, "a link without target");
    if (!is_layer() && !stays_inside(depth, target)) {
      return fail(Code::kForbidden, fmt::format("its target {} leaves the folder", shown(target)));
    }
    HEARTH_CHECK_OK(make_room(parent, name));
    if (::symlinkat(target, parent, name.c_str()) != 0) return fail(system_error(errno, "symlink"));
    return {};
  }

  Status hard_link(const char* target, int parent, const std::string& name) {
    HEARTH_TRY(parts, safe_components(target));
    if (parts.empty()) return fail(Code::kInvalid, "a hard link to the folder");
    const std::string last = std::move(parts.back());
    parts.pop_back();
    HEARTH_TRY(folder, open_parent(parts));
    struct stat status{};
    if (::fstatat(folder.fd.get(), last.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      return fail(Code::kInvalid,
                  fmt::format("its hard link target {} does not exist", shown(target)));
    }
    // A second name of a link would be followed by what comes later under that name.
    if (!S_ISREG(status.st_mode) && !is_layer()) {
      return fail(Code::kForbidden, "hard links are for regular files");
    }
    struct stat own{};
    if (::fstatat(parent, name.c_str(), &own, AT_SYMLINK_NOFOLLOW) == 0 &&
        own.st_ino == status.st_ino && own.st_dev == status.st_dev) {
      return {};
    }
    HEARTH_CHECK_OK(make_room(parent, name));
    if (::linkat(folder.fd.get(), last.c_str(), parent, name.c_str(), 0) != 0) {
      return fail(system_error(errno, "link"));
    }
    return {};
  }

  static Status white_out(int parent, const std::string& name) {
    if (name != kOpaque) {
      const std::string hidden = name.substr(kWhiteout.size());
      if (hidden.empty() || hidden == "." || hidden == "..") {
        return fail(Code::kForbidden, "a whiteout of no entry of its folder");
      }
      return make_room(parent, hidden);
    }
    std::error_code error;
    for (fs::directory_iterator item(fmt::format("/proc/self/fd/{}", parent), error), end;
         !error && item != end; item.increment(error)) {
      HEARTH_CHECK_OK(make_room(parent, item->path().filename().string()));
    }
    return error ? fail(Code::kInternal, "an opaque whiteout: " + error.message()) : Status();
  }

  Status apply_directory_modes() const {
    for (auto item = directory_modes_.rbegin(); item != directory_modes_.rend(); ++item) {
      HEARTH_TRY(parts, safe_components(item->first));
      const base::UniqueFd fd(open_in_root(root_, item->first.c_str()));
      if (!fd) continue;  // removed again by a later entry
      // Its owner keeps the right to go on with it: builds and removal need that.
      const unsigned mode = (item->second & (is_layer() ? 07777U : 0777U)) | 0700U;
      ::chmod(fmt::format("/proc/self/fd/{}", fd.get()).c_str(), mode);
    }
    return {};
  }

  ArchiveStream& stream_;
  int root_;
  const ExtractOptions& options_;
  Extracted done_;
  bool root_seen_ = false;
  std::vector<char> buffer_ = std::vector<char>(kBufferSize);
  std::vector<std::pair<std::string, unsigned>> directory_modes_;
};

}  // namespace

Result<Extracted> extract_archive(int fd, const fs::path& destination,
                                  const ExtractOptions& options) {
  const base::UniqueFd root(::open(destination.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root) return fail(system_error(errno, destination.string()));
  ArchiveStream stream(fd, stream_options(options));
  HEARTH_CHECK_OK(stream.open());
  return Extractor(stream, root.get(), options).run();
}

bool is_archive(const fs::path& file) {
  const base::UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return false;
  ArchiveStream stream(fd.get(), stream_options({.kind = ExtractOptions::Kind::kImageLayer}));
  // What is refused for its cost is an archive whose refusal has a reason, not a file to copy.
  const auto costs_too_much = [](const Error& error) { return error.code == Code::kTooLarge; };
  const Status opened = stream.open();
  if (!opened) return costs_too_much(opened.error());
  const auto first = stream.next();
  return first ? *first != nullptr : costs_too_much(first.error());
}

}  // namespace hearth::oci
