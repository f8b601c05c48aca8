#include "platform/process/spawn.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/base/file.h"
#include "platform/base/text.h"
#include "platform/process/bind_watch.h"
#include "platform/process/cgroup.h"

namespace hearth::process {
namespace {

enum class Step : int {
  kCgroup,
  kJail,
  kLandlock,
  kRights,
  kSeccomp,
  kDirectory,
  kDescriptors,
  kExec
};

// What happened in the child before exec, for the parent.
struct Failure {
  Step step = Step::kExec;
  JailFailure jail;
  int number = 0;
};

// Everything the child needs, laid out before the fork.
struct Plan {
  std::vector<char*> argv;
  std::vector<char*> env;
  std::optional<JailPlan> jail;
  LandlockPlan landlock;
  std::vector<int> aside;  // where each of the request's descriptors is on its way
  int highest_fd = 2;
  bool born_in_group = false;  // by CLONE_INTO_CGROUP
};

Plan make_plan(const SpawnRequest& request, bool new_user) {
  Plan plan;
  for (const std::string& arg : request.argv) plan.argv.push_back(const_cast<char*>(arg.c_str()));
  plan.argv.push_back(nullptr);
  for (const std::string& item : request.env) plan.env.push_back(const_cast<char*>(item.c_str()));
  plan.env.push_back(nullptr);
  if (request.jail) plan.jail = plan_jail(*request.jail, new_user);
  if (request.landlock) plan.landlock = plan_landlock(*request.landlock, landlock_version());
  for (const auto& [from, to] : request.fds) plan.highest_fd = std::max(plan.highest_fd, to);
  plan.aside.resize(request.fds.size(), -1);
  return plan;
}

void set_limit(int which, std::uint64_t value) {
  if (value == 0) return;
  rlimit current{};
  if (::getrlimit(static_cast<__rlimit_resource>(which), &current) != 0) return;
  const rlim_t bound = std::min<rlim_t>(value, current.rlim_max);
  const rlimit limit{bound, bound};
  (void)::setrlimit(static_cast<__rlimit_resource>(which), &limit);
}

void set_limits(const ResourceLimits& limits) {
  set_limit(RLIMIT_AS, limits.address_space);
  set_limit(RLIMIT_NPROC, limits.processes);
  set_limit(RLIMIT_NOFILE, limits.open_files);
  set_limit(RLIMIT_FSIZE, limits.file_bytes);
  set_limit(RLIMIT_CPU, limits.cpu_seconds);
  const rlimit no_core{0, 0};
  (void)::setrlimit(RLIMIT_CORE, &no_core);
}

// Moves descriptors to their numbers without one overwriting another that is still to be moved: all
// go above the highest number first, to places that are free. The report pipe ends up after the
// highest, all others are closed. False: errno says why.
bool arrange_fds(const SpawnRequest& request, Plan& plan, int& report) {
  const int above = plan.highest_fd + 2;
  const auto move_aside = [above](int from) { return ::fcntl(from, F_DUPFD_CLOEXEC, above); };
  const int report_aside = move_aside(report);
  if (report_aside < 0) return false;
  report = report_aside;
  for (std::size_t i = 0; i < request.fds.size(); ++i) {
    plan.aside[i] = move_aside(request.fds[i].first);
    if (plan.aside[i] < 0) return false;
  }
  for (std::size_t i = 0; i < request.fds.size(); ++i) {
    if (::dup2(plan.aside[i], request.fds[i].second) < 0) return false;  // without O_CLOEXEC
  }
  if (::dup3(report_aside, plan.highest_fd + 1, O_CLOEXEC) < 0) return false;
  report = plan.highest_fd + 1;
  (void)::syscall(SYS_close_range, above, ~0U, 0);
  return true;
}

// One byte, and room for a descriptor.
struct DescriptorMessage {
  DescriptorMessage() {
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
  }

  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
};

// Hands the listener over to the parent; without one the parent gets nothing and goes on.
void watch_binds(int handover) {
  (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const int listener = install_bind_filter();
  if (listener < 0) return;
  DescriptorMessage sent;
  cmsghdr* header = CMSG_FIRSTHDR(&sent.message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &listener, sizeof listener);
  (void)::sendmsg(handover, &sent.message, MSG_NOSIGNAL);
  ::close(listener);
}

base::UniqueFd receive_descriptor(int handover) {
  DescriptorMessage received;
  if (::recvmsg(handover, &received.message, MSG_CMSG_CLOEXEC) != 1) return {};
  const cmsghdr* header = CMSG_FIRSTHDR(&received.message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return {};
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return base::UniqueFd(fd);
}

void become_leader() {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < 32; ++number) ::signal(number, SIG_DFL);
  ::umask(022);
}

// False: `failure` says where, errno why. The order matters: the group is entered while its files
// can be reached, landlock forbids mounting, and the filter comes last because it forbids most.
bool confine(const SpawnRequest& request, const Plan& plan, int handover, Failure& failure) {
  failure.step = Step::kCgroup;
  if (request.cgroup != nullptr && !request.cgroup->enter(plan.born_in_group)) return false;
  failure.step = Step::kJail;
  if (plan.jail && !enter_jail(*plan.jail, failure.jail)) return false;
  failure.step = Step::kRights;
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (plan.jail && !give_up_rights(*plan.jail)) return false;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);  // setuid clears it
  failure.step = Step::kLandlock;
  if (!apply_landlock(plan.landlock)) return false;
  if (request.watch_binds) watch_binds(handover);
  failure.step = Step::kSeccomp;
  if (request.seccomp != nullptr && !install_seccomp(*request.seccomp)) return false;
  failure.step = Step::kDirectory;
  return ::chdir(request.working_dir.c_str()) == 0;
}

[[noreturn]] void run_child(const SpawnRequest& request, Plan& plan, int report, int handover) {
  Failure failure;
  become_leader();
  if (confine(request, plan, handover, failure)) {
    failure.step = Step::kDescriptors;
    if (arrange_fds(request, plan, report)) {
      set_limits(request.limits);  // not earlier: descriptors may be on their way above the limit
      failure.step = Step::kExec;
      ::execve(plan.argv[0], plan.argv.data(), plan.env.data());
    }
  }
  failure.number = errno;
  (void)!::write(report, &failure, sizeof failure);
  ::_exit(127);
}

// Whether the kernel refused a namespace as such. What fails later (a mount in the root) can be the
// doing of whoever made that, so it must never be taken for a machine without namespaces.
bool lies_with_kernel(const Failure& failure) {
  return failure.step == Step::kJail &&
         (failure.jail.step == JailStep::kUserMap ||
          failure.jail.step == JailStep::kPrivateMounts || failure.jail.step == JailStep::kRoot);
}

Error child_error(const SpawnRequest& request, const Plan& plan, const Failure& failure) {
  const auto describe_step = [&]() -> std::string {
    switch (failure.step) {
      case Step::kCgroup:
        return "entering its control group";
      case Step::kJail:
        return describe(*plan.jail, failure.jail);
      case Step::kLandlock:
        return "restricting files";
      case Step::kRights:
        return "giving up rights";
      case Step::kSeccomp:
        return "installing the system call filter";
      case Step::kDirectory:
        return "entering " + request.working_dir;
      case Step::kDescriptors:
        return "handing over its descriptors";
      case Step::kExec:
        return "executing";
    }
    return {};
  };
  Error error = system_error(failure.number,
                             fmt::format("starting {}: {}", request.argv[0], describe_step()));
  if (lies_with_kernel(failure)) {
    error.code = Code::kForbidden;
  } else if (failure.step == Step::kJail || error.code != Code::kNotFound) {
    error.code = Code::kPreconditionFailed;
  }
  return error;
}

// clone3(2) of this process; 0 in the child.
long clone_child(const SpawnRequest& request, Plan& plan, int& pidfd) {
  clone_args args{};
  args.flags = CLONE_PIDFD | (plan.jail ? plan.jail->namespaces : 0);
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (request.cgroup != nullptr && request.cgroup->clone_fd() >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(request.cgroup->clone_fd());
  }
  plan.born_in_group = (args.flags & CLONE_INTO_CGROUP) != 0;
  const long pid = ::syscall(SYS_clone3, &args, sizeof args);
  if (pid >= 0 || errno != ENOSYS) return pid;
  // Container engines' filters can't look into clone3's arguments and answer that it isn't there.
  // The older call knows no groups: the child enters its own (confine()).
  plan.born_in_group = false;
  const auto flags = static_cast<unsigned long>((args.flags & ~CLONE_INTO_CGROUP) | SIGCHLD);
#if defined(__x86_64__)
  return ::syscall(SYS_clone, flags, nullptr, &pidfd, nullptr, 0UL);
#else
  return ::syscall(SYS_clone, flags, nullptr, &pidfd, 0UL, nullptr);
#endif
}

// Whether the administrator allows none of some kind (namespaces(7)). Other limits are only reached
// for a while.
bool namespaces_are_switched_off() {
  for (const char* kind : {"user", "mnt", "pid", "ipc", "uts"}) {
    const auto allowed = base::read_file(fmt::format("/proc/sys/user/max_{}_namespaces", kind), 32);
    if (allowed && base::trim(*allowed) == "0") return true;
  }
  return false;
}

Error clone_error(int number, bool jailed) {
  // clone(2): what a kernel that withholds namespaces answers; ENOSPC and EUSERS also at a limit.
  const bool at_limit = number == ENOSPC || number == EUSERS;
  const bool withheld = number == EPERM || number == EINVAL || number == ENOSYS ||
                        (at_limit && namespaces_are_switched_off());
  if (jailed && withheld) {
    return {.code = Code::kForbidden, .message = "the kernel withholds namespaces"};
  }
  Error error = system_error(number, "starting a process");
  error.code = Code::kPreconditionFailed;  // kForbidden would be taken for the above
  return error;
}

// What the child reports; nothing when exec has closed its end: it runs.
std::optional<Failure> read_failure(int report) {
  Failure failure;
  ssize_t got = 0;
  do {
    got = ::read(report, &failure, sizeof failure);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof failure) return std::nullopt;
  return failure;
}

Result<Child> try_spawn(const SpawnRequest& request, bool new_user) {
  Plan plan = make_plan(request, new_user);
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return fail(system_error(errno, "pipe"));
  base::UniqueFd report_read(pipe_fds[0]);
  base::UniqueFd report_write(pipe_fds[1]);
  std::array<int, 2> handover{-1, -1};
  if (request.watch_binds &&
      ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, handover.data()) != 0) {
    return fail(system_error(errno, "socketpair"));
  }
  const base::UniqueFd handover_ours(handover[0]);
  base::UniqueFd handover_theirs(handover[1]);
  int pidfd = -1;
  const long pid = clone_child(request, plan, pidfd);
  if (pid == 0) run_child(request, plan, report_write.get(), handover_theirs.get());
  if (pid < 0) return fail(clone_error(errno, plan.jail.has_value()));
  Child child{static_cast<pid_t>(pid), base::UniqueFd(pidfd), {}};
  report_write.reset();
  handover_theirs.reset();
  if (request.watch_binds) child.binds = receive_descriptor(handover_ours.get());
  const auto failure = read_failure(report_read.get());
  if (!failure) return child;
  (void)reap(child);
  return fail(child_error(request, plan, *failure));
}

}  // namespace

Result<Child> spawn(const SpawnRequest& request) {
  if (request.argv.empty()) return fail(Code::kInvalid, "no program to start");
  const bool is_root = ::geteuid() == 0;
  auto child = try_spawn(request, !is_root);
  if (child || !is_root || !request.jail || !withholds_namespaces(child.error())) return child;
  // Root without the right, as in a container: a user namespace gives it within.
  auto second = try_spawn(request, true);
  if (!second && withholds_namespaces(second.error())) return child;
  return second;
}

bool withholds_namespaces(const Error& error) { return error.code == Code::kForbidden; }

int reap(const Child& child) {
  siginfo_t ended{};
  while (::waitid(P_PID, static_cast<id_t>(child.pid), &ended, WEXITED | WNOWAIT) < 0 &&
         errno == EINTR) {
  }
  // What it started and left behind in its session (become_leader()). A pid namespace ends that by
  // itself; where there is none, this does. As long as it isn't reaped its number is its own.
  ::kill(-child.pid, SIGKILL);
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void send_signal(const Child& child, int signal) {
  ::syscall(SYS_pidfd_send_signal, child.pidfd.get(), signal, nullptr, 0);
}

}  // namespace hearth::process
