#include "platform/process/spawn.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hearth::process {
namespace {

// What happened in the child before exec, for the parent: which step and errno.
struct Failure {
  int step = 0;
  int number = 0;
};
enum Step { kNone, kUserMap, kRoot, kBind, kPivot, kIdentity, kDirectory, kExec };
constexpr std::array<const char*, 8> kStepNames{"",
                                                "mapping the user",
                                                "making the root",
                                                "mounting",
                                                "changing the root",
                                                "giving up rights",
                                                "entering the working directory",
                                                "executing"};

// Everything the child needs, as plain C data that outlives the fork.
struct Plan {
  std::vector<char*> argv;
  std::vector<char*> env;
  std::string uid_map;
  std::string gid_map;
  std::vector<std::string> directories;  // below the root, parents first
  std::vector<std::string> empty_files;
  struct Mount {
    std::string source;
    std::string target;
    bool writable;
  };
  std::vector<Mount> mounts;
  std::vector<std::pair<std::string, std::string>> links;
  std::vector<std::pair<std::string, std::string>> files;
  std::string proc;
  std::string tmp;
  std::string tmp_options;
  bool new_user = false;
};

void add_parents(const std::string& root, const std::string& target, bool whole,
                 std::vector<std::string>& out, std::set<std::string>& known) {
  const std::filesystem::path path(target);
  std::filesystem::path at = root;
  const auto relative = path.relative_path();
  const auto end = whole ? relative : relative.parent_path();
  for (const auto& part : end) {
    at /= part;
    if (known.insert(at.string()).second) out.push_back(at.string());
  }
}

Plan make_plan(const SpawnRequest& request) {
  Plan plan;
  for (const std::string& arg : request.argv) plan.argv.push_back(const_cast<char*>(arg.c_str()));
  plan.argv.push_back(nullptr);
  for (const std::string& item : request.env) plan.env.push_back(const_cast<char*>(item.c_str()));
  plan.env.push_back(nullptr);
  if (!request.jail) return plan;
  const Jail& jail = *request.jail;
  plan.new_user = ::geteuid() != 0;
  const unsigned inside = jail.keep_capabilities ? 0 : jail.uid;
  plan.uid_map = fmt::format("{} {} 1\n", inside, ::geteuid());
  plan.gid_map = fmt::format("{} {} 1\n", inside, ::getegid());
  std::set<std::string> known;
  for (const char* path : {"/proc", "/tmp", "/dev", "/app"}) {
    add_parents(jail.root, path, true, plan.directories, known);
  }
  std::error_code error;
  for (const Bind& bind : jail.binds) {
    if (!std::filesystem::exists(bind.source, error)) continue;
    const bool is_directory = std::filesystem::is_directory(bind.source, error);
    add_parents(jail.root, bind.target, is_directory, plan.directories, known);
    if (!is_directory) plan.empty_files.push_back(jail.root + bind.target);
    plan.mounts.push_back({bind.source, jail.root + bind.target, bind.writable});
  }
  for (const auto& [target, path] : jail.links) {
    add_parents(jail.root, path, false, plan.directories, known);
    plan.links.emplace_back(target, jail.root + path);
  }
  for (const auto& [path, content] : jail.files) {
    add_parents(jail.root, path, false, plan.directories, known);
    plan.files.emplace_back(jail.root + path, content);
  }
  plan.proc = jail.root + "/proc";
  plan.tmp = jail.root + "/tmp";
  plan.tmp_options = "mode=1777,size=" + jail.tmp_bytes;
  return plan;
}

bool write_file(const char* path, const std::string& text) {
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return written;
}

bool map_user(const Plan& plan) {
  if (!plan.new_user) return true;
  return write_file("/proc/self/setgroups", "deny") &&
         write_file("/proc/self/uid_map", plan.uid_map) &&
         write_file("/proc/self/gid_map", plan.gid_map);
}

bool make_root(const Plan& plan, const Jail& jail) {
  // Otherwise the mounts below would appear on the host.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return false;
  if (::mount("tmpfs", jail.root.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=4m") !=
      0) {
    return false;
  }
  for (const std::string& path : plan.directories) {
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return false;
  }
  for (const std::string& path : plan.empty_files) {
    if (!write_file(path.c_str(), "")) return false;
  }
  for (const auto& [target, path] : plan.links) {
    if (::symlink(target.c_str(), path.c_str()) != 0 && errno != EEXIST) return false;
  }
  for (const auto& [path, content] : plan.files) {
    if (!write_file(path.c_str(), content)) return false;
  }
  return true;
}

bool mount_all(const Plan& plan) {
  for (const Plan::Mount& mount : plan.mounts) {
    if (::mount(mount.source.c_str(), mount.target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) !=
        0) {
      return false;
    }
    if (mount.writable) continue;
    // A bind takes other flags only in a second call. In a user namespace, flags of the original
    // mount (nosuid, nodev, noexec …) are locked and must be kept: mount_setattr adds only.
    struct mount_attr attributes{};
    attributes.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;
    if (::syscall(SYS_mount_setattr, AT_FDCWD, mount.target.c_str(), AT_RECURSIVE, &attributes,
                  sizeof attributes) != 0) {
      return false;
    }
  }
  // A container may withhold a fresh /proc; functions can live without one.
  (void)::mount("proc", plan.proc.c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
  return ::mount("tmpfs", plan.tmp.c_str(), "tmpfs", MS_NOSUID | MS_NODEV,
                 plan.tmp_options.c_str()) == 0;
}

bool change_root(const Jail& jail) {
  if (::chdir(jail.root.c_str()) != 0) return false;
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return false;
  if (::umount2(".", MNT_DETACH) != 0) return false;
  (void)::sethostname(jail.hostname.data(), jail.hostname.size());
  // The root itself: nothing is to be added to it any more.
  (void)::mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV,
                nullptr);
  return ::chdir("/") == 0;
}

bool give_up_rights(const Plan& plan, const Jail& jail) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (jail.keep_capabilities) return true;
  if (!plan.new_user) {
    if (::syscall(SYS_setgroups, 0, nullptr) != 0) return false;
    if (::syscall(SYS_setresgid, jail.uid, jail.uid, jail.uid) != 0) return false;
    if (::syscall(SYS_setresuid, jail.uid, jail.uid, jail.uid) != 0) return false;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> none{};
  return ::syscall(SYS_capset, &header, none.data()) == 0;
}

void set_limit(int which, std::uint64_t value) {
  if (value == 0) return;
  const rlimit limit{value, value};
  (void)::setrlimit(static_cast<__rlimit_resource>(which), &limit);
}

void set_limits(const ResourceLimits& limits) {
  set_limit(RLIMIT_AS, limits.address_space);
  set_limit(RLIMIT_NPROC, limits.processes);
  set_limit(RLIMIT_NOFILE, limits.open_files);
  set_limit(RLIMIT_FSIZE, limits.file_bytes);
  const rlimit no_core{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &no_core);
}

// Moves descriptors to their numbers without one overwriting another that is still to be moved.
void arrange_fds(const SpawnRequest& request, int report) {
  constexpr int kAside = 100;
  for (const auto& [from, to] : request.fds) (void)::dup2(from, kAside + to);
  int highest = 2;
  for (const auto& [from, to] : request.fds) {
    (void)::dup2(kAside + to, to);  // without O_CLOEXEC
    highest = std::max(highest, to);
  }
  (void)::dup3(report, highest + 1, O_CLOEXEC);
  (void)::syscall(SYS_close_range, highest + 2, ~0U, 0);
}

[[noreturn]] void run_child(const SpawnRequest& request, const Plan& plan, int report) {
  const auto give_up = [&](Step step, int fd) {
    const Failure failure{step, errno};
    (void)!::write(fd, &failure, sizeof failure);
    ::_exit(127);
  };
  if (request.own_session) ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < 32; ++number) ::signal(number, SIG_DFL);
  if (request.jail) {
    if (!map_user(plan)) give_up(kUserMap, report);
    if (!make_root(plan, *request.jail)) give_up(kRoot, report);
    if (!mount_all(plan)) give_up(kBind, report);
    if (!change_root(*request.jail)) give_up(kPivot, report);
  }
  set_limits(request.limits);
  if (request.jail && !give_up_rights(plan, *request.jail)) give_up(kIdentity, report);
  // setuid clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (::chdir(request.working_dir.c_str()) != 0) give_up(kDirectory, report);
  int highest = 2;
  for (const auto& [from, to] : request.fds) highest = std::max(highest, to);
  arrange_fds(request, report);
  ::execve(plan.argv[0], plan.argv.data(), plan.env.data());
  give_up(kExec, highest + 1);
  ::_exit(127);
}

std::uint64_t namespace_flags(const SpawnRequest& request, const Plan& plan) {
  if (!request.jail) return 0;
  std::uint64_t flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  if (plan.new_user) flags |= CLONE_NEWUSER;
  return flags;
}

Error child_error(const SpawnRequest& request, const Failure& failure) {
  Error error = system_error(
      failure.number, fmt::format("starting {}: {}", request.argv.empty() ? "" : request.argv[0],
                                  kStepNames[static_cast<std::size_t>(failure.step)]));
  if (failure.step != kExec && failure.step != kDirectory && error.code == Code::kNotFound) {
    error.code = Code::kInternal;
  }
  return error;
}

}  // namespace

Result<Child> spawn(const SpawnRequest& request) {
  const Plan plan = make_plan(request);
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return fail(system_error(errno, "pipe"));
  base::UniqueFd report_read(pipe_fds[0]);
  base::UniqueFd report_write(pipe_fds[1]);
  int pidfd = -1;
  clone_args args{};
  args.flags = CLONE_PIDFD | namespace_flags(request, plan);
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid == 0) run_child(request, plan, report_write.get());
  if (pid < 0) return fail(system_error(errno, "starting a process"));
  Child child{static_cast<pid_t>(pid), base::UniqueFd(pidfd)};
  report_write.reset();
  Failure failure;
  ssize_t got = 0;
  do {
    got = ::read(report_read.get(), &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof failure) return child;  // closed by exec: it runs
  (void)reap(child);
  return fail(child_error(request, failure));
}

std::vector<Bind> host_binds() {
  std::vector<Bind> out;
  for (const char* path : {"/usr",
                           "/bin",
                           "/sbin",
                           "/lib",
                           "/lib32",
                           "/lib64",
                           "/libx32",
                           "/etc/alternatives",
                           "/etc/ssl",
                           "/etc/ca-certificates",
                           "/etc/ca-certificates.conf",
                           "/etc/ld.so.cache",
                           "/etc/ld.so.conf",
                           "/etc/ld.so.conf.d",
                           "/etc/localtime",
                           "/etc/timezone",
                           "/etc/mime.types",
                           "/etc/services",
                           "/etc/protocols",
                           "/etc/nsswitch.conf",
                           "/etc/resolv.conf",
                           "/etc/host.conf",
                           "/etc/gai.conf",
                           "/etc/python3.11",
                           "/etc/python3",
                           "/dev/null",
                           "/dev/zero",
                           "/dev/full",
                           "/dev/random",
                           "/dev/urandom"}) {
    out.push_back({path, path, std::string_view(path).starts_with("/dev/")});
  }
  return out;
}

int reap(const Child& child) {
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void send_signal(const Child& child, int signal) {
  ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), signal, nullptr, 0);
}

}  // namespace hearth::process
