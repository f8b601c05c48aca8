#include "emulator/builder/sandbox_child.h"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hearth::builder {
namespace {

constexpr rlim_t kFileBytesMax = 4ULL << 30;
constexpr rlim_t kProcessesMax = 8192;
constexpr std::size_t kPathMax = 4096;

// What package managers need of root: owning, replacing and entering files. Not mounting, devices,
// raw sockets, modules or other processes.
constexpr int kKeptCapabilities[] = {CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,  CAP_FSETID,
                                     CAP_SETGID, CAP_SETUID,       CAP_SETFCAP, CAP_KILL};

struct Abort {
  const ChildPlan& plan;
  [[noreturn]] void operator()(ChildStep step, int index = 0) const {
    const ChildFailure failure{step, index, errno};
    [[maybe_unused]] const ssize_t put = ::write(plan.report, &failure, sizeof failure);
    ::_exit(127);
  }
};

bool write_text(const char* path, const char* text, std::size_t size) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool done = ::write(fd, text, size) == static_cast<ssize_t>(size);
  ::close(fd);
  return done;
}

// One user, seen as root within. setgroups must be given up first (user_namespaces(7)).
bool map_identity(const ChildPlan& plan) {
  write_text("/proc/self/setgroups", "deny", 4);
  return write_text("/proc/self/uid_map", plan.uid_map.data(), plan.uid_map.size()) &&
         write_text("/proc/self/gid_map", plan.gid_map.data(), plan.gid_map.size());
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
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  ::close(fd);
  return true;
}

bool bind(const char* source, const char* target, std::uint64_t attributes) {
  if (::mount(source, target, nullptr, MS_BIND | MS_REC, nullptr) != 0) return false;
  mount_attr attr{};
  attr.attr_set = attributes;
  // Recursive, so that a file system mounted below is read-only as well.
  if (::syscall(SYS_mount_setattr, AT_FDCWD, target, AT_RECURSIVE, &attr, sizeof attr) == 0) {
    return true;
  }
  const bool read_only = (attributes & MOUNT_ATTR_RDONLY) != 0;
  return ::mount(nullptr, target, nullptr,
                 MS_BIND | MS_REMOUNT | MS_NOSUID | (read_only ? MS_RDONLY : 0UL), nullptr) == 0;
}

bool do_mount(const ChildPlan::Mount& item) {
  const char* source = item.source.c_str();
  const char* target = item.target.c_str();
  switch (item.kind) {
    case SandboxMount::Kind::kReadOnly:
      return bind(source, target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
    case SandboxMount::Kind::kWritable:
      return bind(source, target, MOUNT_ATTR_NOSUID);
    case SandboxMount::Kind::kOverlay:
      return ::mount("overlay", target, "overlay", MS_NOSUID | MS_NODEV, item.options.c_str()) == 0;
    case SandboxMount::Kind::kTmpfs:
      return ::mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0;
    case SandboxMount::Kind::kProc:
      if (::mount("proc", target, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0) {
        return true;
      }
      // Masked parts of the outer /proc forbid a fresh one: then the outer one it is.
      return ::mount("/proc", target, nullptr, MS_BIND | MS_REC, nullptr) == 0;
    case SandboxMount::Kind::kDevice:
      return touch(target) && ::mount(source, target, nullptr, MS_BIND, nullptr) == 0;
    case SandboxMount::Kind::kTouch:
      return touch(target);
    case SandboxMount::Kind::kFolder:
      make_folders(target, true);
      return true;
    case SandboxMount::Kind::kSymlink:
      make_folders(target, false);
      return ::symlink(source, target) == 0;
  }
  return false;
}

bool enter_root(const ChildPlan& plan) {
  if (::chdir(plan.root.c_str()) != 0) return false;
  if (::syscall(SYS_pivot_root, ".", ".") == 0) {
    return ::umount2(".", MNT_DETACH) == 0 && ::chdir("/") == 0;
  }
  // The first root of the system can't be pivoted away (pivot_root(2)): move over it.
  return ::mount(".", "/", nullptr, MS_MOVE, nullptr) == 0 && ::chroot(".") == 0 &&
         ::chdir("/") == 0;
}

void mount_all(const ChildPlan& plan, bool overlays) {
  for (std::size_t i = 0; i < plan.mounts.size(); ++i) {
    const bool is_overlay = plan.mounts[i].kind == SandboxMount::Kind::kOverlay;
    if (is_overlay == overlays && !do_mount(plan.mounts[i])) {
      Abort{plan}(ChildStep::kMount, static_cast<int>(i));
    }
  }
}

void isolate(const ChildPlan& plan) {
  const Abort abort{plan};
  if (plan.user_namespace && !map_identity(plan)) abort(ChildStep::kIdentity);
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    abort(ChildStep::kPrivateMounts);
  }
  // Overlays first: their upper and work folders must be seen through one mount.
  mount_all(plan, true);
  if (::mount(plan.root.c_str(), plan.root.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
    abort(ChildStep::kRoot);
  }
  mount_all(plan, false);
  if (!enter_root(plan)) abort(ChildStep::kPivot);
}

void limit(int resource, rlim_t value) {
  rlimit current{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &current) != 0) return;
  const rlim_t bound =
      current.rlim_max == RLIM_INFINITY ? value : std::min(value, current.rlim_max);
  const rlimit wanted{bound, bound};
  ::setrlimit(static_cast<__rlimit_resource>(resource), &wanted);
}

void give_up_rights(const ChildPlan& plan) {
  limit(RLIMIT_CPU, plan.cpu_seconds_max);
  limit(RLIMIT_FSIZE, kFileBytesMax);
  limit(RLIMIT_NPROC, kProcessesMax);
  limit(RLIMIT_CORE, 0);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (!plan.isolated) return;
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    bool kept = false;
    for (const int wanted : kKeptCapabilities) kept = kept || wanted == capability;
    if (!kept) ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
}

}  // namespace

ChildPlan::ChildPlan(const SandboxCommand& command, unsigned long flags, int output_fd,
                     int report_fd)
    : isolated(command.isolation == SandboxCommand::Isolation::kNamespaces),
      user_namespace((flags & CLONE_NEWUSER) != 0),
      output(output_fd),
      report(report_fd),
      uid_map(fmt::format("0 {} 1", ::geteuid())),
      gid_map(fmt::format("0 {} 1", ::getegid())),
      root(command.root.string()),
      working_dir(command.working_dir),
      kept_argv_(command.argv),
      kept_env_(command.env) {
  for (const SandboxMount& item : command.mounts) {
    Mount out{item.kind, item.source.string(), item.target.string(), {}};
    if (item.kind == SandboxMount::Kind::kOverlay) {
      out.options = fmt::format("lowerdir={},upperdir={},workdir={}{}", item.source.string(),
                                item.target.string(), item.scratch.string(),
                                user_namespace ? ",userxattr" : "");
    }
    mounts.push_back(std::move(out));
  }
  for (std::string& text : kept_argv_) argv.push_back(text.data());
  for (std::string& text : kept_env_) env.push_back(text.data());
  argv.push_back(nullptr);
  env.push_back(nullptr);
  const auto left = std::chrono::duration_cast<std::chrono::seconds>(
      command.deadline - std::chrono::steady_clock::now());
  // Several threads use more CPU time than the clock shows; the bound is for runaways.
  cpu_seconds_max = static_cast<unsigned long>(std::max<std::int64_t>(left.count(), 1)) * 8 + 10;
}

std::string ChildPlan::describe(const ChildFailure& failure) const {
  switch (failure.step) {
    case ChildStep::kIdentity:
      return "mapping the user";
    case ChildStep::kPrivateMounts:
      return "making mounts private";
    case ChildStep::kRoot:
      return "mounting the root";
    case ChildStep::kMount:
      return "mounting " + mounts.at(static_cast<std::size_t>(failure.index)).target;
    case ChildStep::kPivot:
      return "entering the root";
    case ChildStep::kDirectory:
      return "entering " + working_dir;
    case ChildStep::kExec:
      return "starting " + kept_argv_[0];
  }
  return {};
}

void run_child(const ChildPlan& plan) {
  const Abort abort{plan};
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::setsid();
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, 0);
  ::dup2(plan.output, 1);
  ::dup2(plan.output, 2);
  ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
  if (plan.isolated) isolate(plan);
  if (::chdir(plan.working_dir.c_str()) != 0) abort(ChildStep::kDirectory);
  ::umask(022);
  give_up_rights(plan);
  ::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(plan.argv[0], plan.argv.data(), plan.env.data());
  abort(ChildStep::kExec);
}

}  // namespace hearth::builder
