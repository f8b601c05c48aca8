#include "emulator/builder/sandbox.h"

#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "emulator/builder/sandbox_child.h"
#include "platform/base/limits.h"
#include "platform/base/unique_fd.h"

namespace hearth::builder {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTick{100};
// What a command may print in all; the rest is read and dropped.
constexpr std::size_t kOutputBytesMax = 8 * 1024 * 1024;

struct PipePair {
  base::UniqueFd read;
  base::UniqueFd write;
};

Result<PipePair> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail(system_error(errno, "pipe"));
  return PipePair{base::UniqueFd(fds[0]), base::UniqueFd(fds[1])};
}

// Cuts what a command prints into lines.
class LineCutter {
 public:
  explicit LineCutter(const std::function<void(std::string_view)>& output) : output_(output) {}
  void add(std::string_view bytes) {
    total_ += bytes.size();
    if (total_ > kOutputBytesMax) {
      if (!std::exchange(told_, true)) emit("(more output is dropped)");
      return;
    }
    for (const char c : bytes) {
      // A carriage return alone redraws a progress bar: what it overwrites is not worth a line.
      if (c == '\n' || line_.size() >= limits::kLogLineBytesMax) finish();
      if (c == '\r') continue;
      if (c != '\n') line_ += c;
    }
  }
  void finish() { emit(std::exchange(line_, {})); }
  void finish_last() {
    if (!line_.empty()) finish();
  }

 private:
  void emit(std::string_view line) {
    if (output_) output_(line);
  }
  const std::function<void(std::string_view)>& output_;
  std::string line_;
  std::size_t total_ = 0;
  bool told_ = false;
};

class Run {
 public:
  Run(const SandboxCommand& command, pid_t pid, base::UniqueFd output)
      : command_(command), pid_(pid), output_(std::move(output)), lines_(command.output) {}

  SandboxOutcome wait() {
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    SandboxOutcome outcome;
    int status = 0;
    while (!has_ended()) {
      pollfd item{.fd = output_.get(), .events = POLLIN};
      ::poll(&item, 1, static_cast<int>(kTick.count()));
      if (!drain()) ::poll(nullptr, 0, 5);  // both streams are closed and it still runs
      const bool late = steady_clock::now() >= command_.deadline;
      if (late || (command_.is_cancelled && command_.is_cancelled())) {
        outcome.kind = late ? SandboxOutcome::Kind::kTimedOut : SandboxOutcome::Kind::kCancelled;
        kill_all();
        ::waitpid(pid_, &status, 0);
        drain();
        lines_.finish_last();
        return outcome;
      }
    }
    kill_all();  // without a pid namespace its children may be left
    ::waitpid(pid_, &status, 0);
    drain();
    lines_.finish_last();
    if (WIFEXITED(status)) return {SandboxOutcome::Kind::kExited, WEXITSTATUS(status)};
    return {SandboxOutcome::Kind::kSignalled, WTERMSIG(status)};
  }

 private:
  // Leaves it unreaped: until then its process group can't be another's.
  bool has_ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
           info.si_pid != 0;
  }
  // False at the end of the stream.
  bool drain() {
    char buffer[16 * 1024];
    while (true) {
      const ssize_t got = ::read(output_.get(), buffer, sizeof buffer);
      if (got == 0) return false;
      if (got < 0) return true;
      lines_.add({buffer, static_cast<std::size_t>(got)});
    }
  }
  void kill_all() const {
    ::kill(-pid_, SIGKILL);  // the child leads a process group of its own
  }

  const SandboxCommand& command_;
  pid_t pid_;
  base::UniqueFd output_;
  LineCutter lines_;
};

Result<SandboxOutcome> start(const SandboxCommand& command, unsigned long flags) {
  HEARTH_TRY(output, make_pipe());
  HEARTH_TRY(report, make_pipe());
  const ChildPlan plan(command, flags, output.write.get(), report.write.get());
  // Nothing but system calls may follow in the child: other threads of the daemon hold locks.
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
  if (pid == 0) run_child(plan);
  if (pid < 0) {
    const bool withheld = errno == EPERM || errno == ENOSPC || errno == EUSERS || errno == EINVAL;
    if (withheld) return fail(Code::kUnavailable, "the kernel withholds namespaces");
    return fail(system_error(errno, "clone"));
  }
  output.write.reset();
  report.write.reset();
  ChildFailure failure;
  ssize_t got;
  while ((got = ::read(report.read.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
  }
  if (got == static_cast<ssize_t>(sizeof failure)) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (failure.step == ChildStep::kExec) {
      return fail(Code::kPreconditionFailed, system_error(failure.error, command.argv[0]).message);
    }
    return fail(
        Code::kUnavailable,
        "preparing the sandbox: " + system_error(failure.error, plan.describe(failure)).message);
  }
  return Run(command, pid, std::move(output.read)).wait();
}

}  // namespace

Result<SandboxOutcome> run_in_sandbox(const SandboxCommand& command) {
  if (command.isolation == SandboxCommand::Isolation::kNone) return start(command, 0);
  unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;
  if (!command.network) flags |= CLONE_NEWNET;
  if (::geteuid() == 0) {
    auto outcome = start(command, flags);
    if (outcome || outcome.error().code != Code::kUnavailable) return outcome;
  }
  // Not root, or root without the right: a user namespace gives it within.
  return start(command, flags | CLONE_NEWUSER);
}

}  // namespace hearth::builder
