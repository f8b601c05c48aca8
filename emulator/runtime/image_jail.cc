#include "emulator/runtime/image_jail.h"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/base/file.h"
#include "platform/base/text.h"
#include "platform/base/unique_fd.h"

namespace hearth::runtime {
namespace {

namespace fs = std::filesystem;

using Kind = process::Mount::Kind;

Status make_owned_folder(const fs::path& path, unsigned mode) {
  HEARTH_CHECK_OK(base::make_private_directory(path));
  if (::chmod(path.c_str(), mode) != 0) return fail(system_error(errno, path.string()));
  if (::geteuid() == 0 && ::lchown(path.c_str(), kImageUser, kImageUser) != 0) {
    return fail(system_error(errno, path.string()));
  }
  return {};
}

// mount(2) separates an overlay's folders by these.
bool fits_mount_options(const fs::path& path) {
  return path.string().find_first_of(",:\\") == std::string::npos;
}

void add_devices(const std::string& root, process::Jail& jail) {
  jail.mounts.push_back({Kind::kTmpfs, "", root + "/dev", "mode=0755,size=1m"});
  for (const process::Bind& bind : process::host_binds()) {
    if (!bind.target.starts_with("/dev/")) continue;
    jail.mounts.push_back({Kind::kDevice, bind.source, root + bind.target});
  }
  jail.mounts.push_back({Kind::kFolder, "", root + "/dev/shm"});
  jail.mounts.push_back({Kind::kTmpfs, "", root + "/dev/shm", "mode=1777,size=64m"});
  jail.mounts.push_back({Kind::kSymlink, "/proc/self/fd", root + "/dev/fd"});
  jail.mounts.push_back({Kind::kSymlink, "/proc/self/fd/0", root + "/dev/stdin"});
  jail.mounts.push_back({Kind::kSymlink, "/proc/self/fd/1", root + "/dev/stdout"});
  jail.mounts.push_back({Kind::kSymlink, "/proc/self/fd/2", root + "/dev/stderr"});
}

}  // namespace

Result<process::Jail> image_jail(const fs::path& image, const ImageJailOptions& options) {
  const std::string root = options.jail_root.string();
  const fs::path work = options.scratch / "work";
  HEARTH_CHECK_OK(base::make_private_directory(options.scratch));
  HEARTH_CHECK_OK(make_owned_folder(options.jail_root, 0755));
  HEARTH_CHECK_OK(make_owned_folder(work, 0700));
  process::Jail jail{.root_kind = process::Jail::Root::kTree, .root = root};
  const bool writable =
      options.writable && fits_mount_options(image) && fits_mount_options(options.scratch);
  jail.mounts.push_back({writable ? Kind::kOverlay : Kind::kReadOnly, image, root, work});
  jail.mounts.push_back({Kind::kProc, "", root + "/proc"});
  jail.mounts.push_back({Kind::kTmpfs, "", root + "/tmp", "mode=1777,size=64m"});
  add_devices(root, jail);
  // image_rootfs.cc has put places there to mount on, unless etc is a link.
  if (!fs::is_symlink(image / "etc")) {
    jail.mounts.push_back({Kind::kReadOnly, options.hosts_file, root + "/etc/hosts"});
    jail.mounts.push_back({Kind::kReadOnly, "/etc/resolv.conf", root + "/etc/resolv.conf"});
  }
  jail.hostname = options.hostname;
  jail.uid = kImageUser;
  return jail;
}

Result<std::string> find_in_image(const fs::path& image, const std::string& name,
                                  const std::string& search_path) {
  if (name.contains('/')) return name;
  const base::UniqueFd root(::open(image.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const std::string_view folder : base::split(search_path, ':')) {
    if (!folder.starts_with('/')) continue;
    std::string candidate = std::string(folder) + "/" + name;
    open_how how{};
    how.flags = O_PATH | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const base::UniqueFd fd(
        static_cast<int>(::syscall(SYS_openat2, root.get(), candidate.c_str(), &how, sizeof how)));
    struct stat status{};
    if (fd && ::fstat(fd.get(), &status) == 0 && S_ISREG(status.st_mode) &&
        (status.st_mode & 0111U) != 0) {
      return candidate;
    }
  }
  return fail(Code::kNotFound,
              fmt::format("the image has no program \"{}\" in {}", name, search_path));
}

}  // namespace hearth::runtime
