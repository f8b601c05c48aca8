// The part of the jail that runs between fork and exec, in a copy of a process with many threads:
// only system calls on memory that plan_jail() laid out.
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/process/jail.h"

namespace hearth::process {
namespace {

constexpr std::size_t kPathMax = 4096;

// What package managers need of root: owning, replacing and entering files. Not mounting, devices,
// raw sockets, modules or other processes.
constexpr int kPackageManagerCapabilities[] = {CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FOWNER,
                                               CAP_FSETID,  CAP_SETGID,       CAP_SETUID,
                                               CAP_SETFCAP, CAP_KILL};

bool write_file(const char* path, int flags, const char* text, std::size_t size) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC | flags, 0644);
  if (fd < 0) return false;
  const bool done = ::write(fd, text, size) == static_cast<ssize_t>(size);
  ::close(fd);
  return done;
}

// One user. setgroups must be given up first (user_namespaces(7)).
bool map_user(const JailPlan& plan) {
  (void)write_file("/proc/self/setgroups", 0, "deny", 4);
  return write_file("/proc/self/uid_map", 0, plan.uid_map.data(), plan.uid_map.size()) &&
         write_file("/proc/self/gid_map", 0, plan.gid_map.data(), plan.gid_map.size());
}

// mkdir -p of the folders above `path`, and of itself when `whole`.
void make_folders(const char* path, bool whole) {
  char copy[kPathMax];
  const std::size_t size = ::strnlen(path, kPathMax - 1);
  std::memcpy(copy, path, size);
  copy[size] = '\0';
  for (std::size_t i = 1; i < size; ++i) {
    if (copy[i] != '/') continue;
    copy[i] = '\0';
    ::mkdir(copy, 0755);
    copy[i] = '/';
  }
  if (whole) ::mkdir(copy, 0755);
}

bool touch(const char* path) {
  make_folders(path, false);
  return write_file(path, O_CREAT | O_NOFOLLOW, "", 0);
}

bool bind(const char* source, const char* target, std::uint64_t attributes) {
  if (::mount(source, target, nullptr, MS_BIND | MS_REC, nullptr) != 0) return false;
  // A bind takes other flags only in a second call, recursive so that a file system mounted below
  // gets them too. In a user namespace the original's flags are locked: mount_setattr adds only.
  mount_attr attr{};
  attr.attr_set = attributes;
  if (::syscall(SYS_mount_setattr, AT_FDCWD, target, AT_RECURSIVE, &attr, sizeof attr) == 0) {
    return true;
  }
  const bool read_only = (attributes & MOUNT_ATTR_RDONLY) != 0;
  return ::mount(nullptr, target, nullptr,
                 MS_BIND | MS_REMOUNT | MS_NOSUID | (read_only ? MS_RDONLY : 0UL), nullptr) == 0;
}

bool mount_processes(const char* target, bool needed) {
  if (::mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0) return true;
  // A container masks parts of /proc, which forbids a fresh one. Builds take the outer one then;
  // a function lives without, rather than see the processes of others.
  return !needed || ::mount("/proc", target, nullptr, MS_BIND | MS_REC, nullptr) == 0;
}

bool do_mount(const Mount& item, bool is_build) {
  const char* source = item.source.c_str();
  const char* target = item.target.c_str();
  switch (item.kind) {
    case Mount::Kind::kReadOnly:
      return bind(source, target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
    case Mount::Kind::kWritable:
      return bind(source, target, MOUNT_ATTR_NOSUID);
    case Mount::Kind::kOverlay:
      return ::mount("overlay", target, "overlay", MS_NOSUID | MS_NODEV, item.options.c_str()) == 0;
    case Mount::Kind::kTmpfs:
      return ::mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV,
                     item.options.empty() ? "mode=1777" : item.options.c_str()) == 0;
    case Mount::Kind::kProc:
      return mount_processes(target, is_build);
    case Mount::Kind::kDevice:
      return touch(target) && ::mount(source, target, nullptr, MS_BIND, nullptr) == 0;
    case Mount::Kind::kTouch:
      return touch(target);
    case Mount::Kind::kFolder:
      make_folders(target, true);
      return true;
    case Mount::Kind::kSymlink:
      make_folders(target, false);
      return ::symlink(source, target) == 0 || errno == EEXIST;
    case Mount::Kind::kFile:
      make_folders(target, false);
      return write_file(target, O_CREAT | O_TRUNC | O_NOFOLLOW, source, item.source.size());
  }
  return false;
}

// Overlays go first: their upper and work folders must be seen through one mount.
bool mount_all(const JailPlan& plan, bool overlays, JailFailure& failure) {
  const bool is_build = plan.rights == Jail::Rights::kPackageManager;
  for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
    const bool is_overlay = plan.mounts[i].kind == Mount::Kind::kOverlay;
    if (is_overlay != overlays || do_mount(plan.mounts[i], is_build)) continue;
    failure = {JailStep::kMount, static_cast<int>(i)};
    return false;
  }
  return true;
}

bool mount_root(const JailPlan& plan) {
  if (plan.root_kind == Jail::Root::kTree) {
    return ::mount(plan.root.c_str(), plan.root.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0;
  }
  return ::mount("tmpfs", plan.root.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m") ==
         0;
}

bool enter_root(const JailPlan& plan) {
  if (::chdir(plan.root.c_str()) != 0) return false;
  if (::syscall(SYS_pivot_root, ".", ".") == 0) {
    if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) return false;
  } else if (::mount(".", "/", nullptr, MS_MOVE, nullptr) != 0 || ::chroot(".") != 0 ||
             ::chdir("/") != 0) {
    // The first root of the system can't be pivoted away (pivot_root(2)): move over it.
    return false;
  }
  (void)::sethostname(plan.hostname.data(), plan.hostname.size());
  if (plan.root_kind == Jail::Root::kTree) return true;
  // The root itself: nothing is to be added to it any more.
  (void)::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV,
                nullptr);
  return true;
}

void bound_capabilities() {
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    bool kept = false;
    for (const int wanted : kPackageManagerCapabilities) kept = kept || wanted == capability;
    if (!kept) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

}  // namespace

bool enter_jail(const JailPlan& plan, JailFailure& failure) {
  failure = {JailStep::kUserMap, 0};
  if (plan.new_user && !map_user(plan)) return false;
  // Otherwise the mounts below would appear on the host.
  failure.step = JailStep::kPrivateMounts;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  if (!mount_all(plan, true, failure)) return false;
  failure.step = JailStep::kRoot;
  if (!mount_root(plan)) return false;
  if (!mount_all(plan, false, failure)) return false;
  failure.step = JailStep::kPivot;
  return enter_root(plan);
}

bool give_up_rights(const JailPlan& plan) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (plan.rights == Jail::Rights::kAll) return true;
  if (plan.rights == Jail::Rights::kPackageManager) {
    bound_capabilities();
    return true;
  }
  if (!plan.new_user) {
    if (::syscall(SYS_setgroups, 0, nullptr) != 0) return false;
    if (::syscall(SYS_setresgid, plan.uid, plan.uid, plan.uid) != 0) return false;
    if (::syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) != 0) return false;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

}  // namespace hearth::process
