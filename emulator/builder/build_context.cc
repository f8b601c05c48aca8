#include "emulator/builder/build_context.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "emulator/builder/glob.h"
#include "platform/base/bytes.h"
#include "platform/base/file.h"
#include "platform/base/hash.h"
#include "platform/base/limits.h"
#include "platform/base/text.h"
#include "platform/base/unique_fd.h"
#include "platform/oci/path_bounds.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

// "./a//b/" and "/a/b" are "a/b"; the folder itself is "". ".." never climbs above the folder.
std::string clean(std::string_view path) {
  std::string out = fs::path("/" + std::string(path)).lexically_normal().string();
  out.erase(0, std::min(out.find_first_not_of('/'), out.size()));
  while (out.ends_with('/')) out.pop_back();
  return out;
}

Result<CopyItem> item_of(const fs::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return fail(system_error(errno, path.string()));
  CopyItem out{.source = path.string(),
               .mode = status.st_mode & 07777U,
               .size = static_cast<std::uint64_t>(status.st_size)};
  if (S_ISDIR(status.st_mode)) {
    out.kind = CopyItem::Kind::kDirectory;
  } else if (S_ISLNK(status.st_mode)) {
    out.kind = CopyItem::Kind::kLink;
    std::error_code error;
    out.link_target = fs::read_symlink(path, error).string();
  } else if (!S_ISREG(status.st_mode)) {
    return fail(Code::kInvalid, fmt::format("{} is neither a file nor a folder", path.string()));
  }
  return out;
}

}  // namespace

bool is_pattern(std::string_view source) {
  return source.find_first_of("*?[") != std::string_view::npos;
}

Result<std::string> hash_file(const fs::path& path, const oci::Checkpoint& checkpoint) {
  const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail(system_error(errno, path.string()));
  base::Hasher hasher(base::HashAlgorithm::kSha256);
  std::string buffer(256 * 1024, '\0');
  while (true) {
    HEARTH_CHECK_OK(oci::pass(checkpoint));
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error(errno, path.string()));
    if (got == 0) return base::hex(hasher.finish());
    hasher.update(std::string_view(buffer).substr(0, static_cast<std::size_t>(got)));
  }
}

Status CopyList::add(CopyItem item) {
  bytes += sizeof item + item.relative.size() + item.source.size() + item.link_target.size();
  if (bytes > kCopyListBytesMax) {
    return fail(Code::kTooLarge, fmt::format("the list of what is to be copied is over {} bytes",
                                             kCopyListBytesMax));
  }
  items.push_back(std::move(item));
  return {};
}

Status CopyList::add(CopyList more) {
  for (CopyItem& item : more.items) HEARTH_CHECK_OK(add(std::move(item)));
  return {};
}

Result<BuildContext> BuildContext::open(fs::path root, std::string_view dockerfile,
                                        oci::Checkpoint checkpoint) {
  std::error_code error;
  if (!fs::is_directory(root, error)) {
    return fail(Code::kNotFound, fmt::format("the context {} is no folder", root.string()));
  }
  BuildContext out(fs::canonical(root, error), std::move(checkpoint));
  HEARTH_CHECK_OK(out.read_ignore_file(dockerfile));
  HEARTH_CHECK_OK(out.check_bounds());
  return out;
}

BuildContext BuildContext::of_tree(fs::path root, oci::Checkpoint checkpoint) {
  return {std::move(root), std::move(checkpoint)};
}

Status BuildContext::read_ignore_file(std::string_view dockerfile) {
  for (const std::string& name :
       {clean(dockerfile) + ".dockerignore", std::string(".dockerignore")}) {
    const auto text = read(name, kIgnoreFileBytesMax);
    if (!text && text.error().code == Code::kTooLarge) {
      return fail(Code::kTooLarge, fmt::format("{} is over {} bytes", name, kIgnoreFileBytesMax));
    }
    if (!text) continue;
    auto rules = IgnoreFile::parse(*text);
    if (!rules) return fail(with_context(rules.error(), name));
    ignore_ = std::move(*rules);
    return {};
  }
  return {};
}

Status BuildContext::check_bounds() const {
  std::error_code error;
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  auto item = fs::recursive_directory_iterator(root_, error);
  for (; !error && item != fs::recursive_directory_iterator(); item.increment(error)) {
    HEARTH_CHECK_OK(oci::pass(checkpoint_));
    // Before the ignored ones are left out: each folder that is gone into holds a descriptor.
    HEARTH_CHECK_OK(oci::check_path(item->path().lexically_relative(root_).string()));
    HEARTH_TRY(is_ignored, ignores(item->path()));
    if (is_ignored) continue;
    ++files;
    std::error_code ignored;
    if (item->is_regular_file(ignored) && !item->is_symlink(ignored)) {
      bytes += item->file_size(ignored);
    }
    if (files > limits::kContextFilesMax || bytes > limits::kContextBytesMax) {
      return fail(Code::kTooLarge, fmt::format("the context is over {} files or {} bytes",
                                               limits::kContextFilesMax, limits::kContextBytesMax));
    }
  }
  if (error) return fail(Code::kInternal, "reading the context: " + error.message());
  return {};
}

Result<bool> BuildContext::ignores(const fs::path& path) const {
  if (ignore_.empty()) return false;
  const std::string relative = path.lexically_relative(root_).string();
  if (relative == ".") return false;
  return ignore_.ignores(relative, checkpoint_);
}

Result<fs::path> BuildContext::resolve(std::string_view path) const {
  const std::string relative = clean(path);
  if (relative.empty()) return root_;
  const base::UniqueFd root(::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const base::UniqueFd fd(
      static_cast<int>(::syscall(SYS_openat2, root.get(), relative.c_str(), &how, sizeof how)));
  if (!fd) return fail(system_error(errno, relative));
  std::error_code error;
  fs::path real = fs::read_symlink(fmt::format("/proc/self/fd/{}", fd.get()), error);
  if (error) return fail(Code::kInternal, error.message());
  return real;
}

Result<std::string> BuildContext::read(std::string_view path, std::size_t bytes_max) const {
  HEARTH_TRY(real, resolve(path));
  return base::read_file(real, bytes_max);
}

Status BuildContext::collect(const fs::path& path, CopyList& out) const {
  HEARTH_TRY(top, item_of(path));
  if (top.kind != CopyItem::Kind::kDirectory) {
    top.relative = path.filename().string();
    top.is_whole_source = true;
    return out.add(std::move(top));
  }
  // A folder means its content; the folder itself gives the destination its mode.
  HEARTH_CHECK_OK(out.add(std::move(top)));
  std::error_code error;
  auto item = fs::recursive_directory_iterator(path, error);
  for (; !error && item != fs::recursive_directory_iterator(); item.increment(error)) {
    HEARTH_CHECK_OK(oci::pass(checkpoint_));
    HEARTH_TRY(is_ignored, ignores(item->path()));
    if (is_ignored) continue;
    HEARTH_TRY(entry, item_of(item->path()));
    entry.relative = item->path().lexically_relative(path).string();
    HEARTH_CHECK_OK(out.add(std::move(entry)));
  }
  if (error) return fail(Code::kInternal, fmt::format("{}: {}", path.string(), error.message()));
  return {};
}

Result<CopyList> BuildContext::find(std::string_view source) const {
  if (source.size() > kPatternBytesMax) {
    return fail(Code::kTooLarge, fmt::format("a source is over {} bytes", kPatternBytesMax));
  }
  CopyList out;
  const std::string wanted = clean(source);
  if (!is_pattern(wanted)) {
    const auto real = resolve(wanted);
    if (!real) return fail(Code::kNotFound, fmt::format("{}: no such file in the context", source));
    HEARTH_TRY(is_ignored, ignores(root_ / wanted));
    if (is_ignored) {
      return fail(Code::kNotFound, fmt::format("{}: left out by .dockerignore", source));
    }
    HEARTH_CHECK_OK(collect(*real, out));
    if (out.items.size() == 1 && out.items[0].is_whole_source) {
      out.items[0].relative = fs::path(wanted).filename().string();
    }
    return out;
  }
  HEARTH_TRY(found, matches(wanted));
  for (const std::string& path : found) HEARTH_CHECK_OK(collect(path, out));
  return out;
}

Result<std::vector<std::string>> BuildContext::matches(std::string_view pattern) const {
  const PathPattern wanted(pattern);
  const auto depth = std::ranges::count(pattern, '/');
  std::error_code error;
  std::vector<std::string> out;
  auto item = fs::recursive_directory_iterator(root_, error);
  for (; !error && item != fs::recursive_directory_iterator(); item.increment(error)) {
    HEARTH_CHECK_OK(oci::pass(checkpoint_));
    if (item.depth() >= depth) item.disable_recursion_pending();
    const std::string relative = item->path().lexically_relative(root_).string();
    if (!wanted.matches(base::split(relative, '/'))) continue;
    HEARTH_TRY(is_ignored, ignore_.ignores(relative, checkpoint_));
    if (!is_ignored) out.push_back(item->path().string());
  }
  if (error) return fail(Code::kInternal, "reading the context: " + error.message());
  // By components: what a folder holds comes right behind it.
  const auto rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c); };
  std::ranges::sort(out, [rank](const std::string& a, const std::string& b) {
    return std::ranges::lexicographical_compare(a, b, {}, rank, rank);
  });
  return out;
}

}  // namespace hearth::builder
