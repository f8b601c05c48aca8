#include "emulator/builder/command.h"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>

#include "platform/base/limits.h"
#include "platform/base/unique_fd.h"
#include "platform/process/spawn.h"

namespace hearth::builder {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kTick{100};
// What a command may print in all; the rest is read and dropped.
constexpr std::size_t kOutputBytesMax = 8 * 1024 * 1024;
constexpr std::uint64_t kFileBytesMax = 4ULL << 30;
constexpr std::uint64_t kProcessesMax = 8192;
constexpr std::uint64_t kOpenFilesMax = 65'536;

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
  Run(const Command& command, process::Child child, base::UniqueFd output)
      : command_(command),
        child_(std::move(child)),
        output_(std::move(output)),
        lines_(command.output) {}

  CommandOutcome wait() {
    ::fcntl(output_.get(), F_SETFL, O_NONBLOCK);
    CommandOutcome outcome;
    int status = 0;
    while (!has_ended()) {
      pollfd item{.fd = output_.get(), .events = POLLIN};
      ::poll(&item, 1, static_cast<int>(kTick.count()));
      if (!drain()) ::poll(nullptr, 0, 5);  // both streams are closed and it still runs
      const bool late = steady_clock::now() >= command_.deadline;
      if (late || (command_.is_cancelled && command_.is_cancelled())) {
        outcome.kind = late ? CommandOutcome::Kind::kTimedOut : CommandOutcome::Kind::kCancelled;
        kill_all();
        ::waitpid(child_.pid, &status, 0);
        drain();
        lines_.finish_last();
        return outcome;
      }
    }
    kill_all();  // without a pid namespace its children may be left
    ::waitpid(child_.pid, &status, 0);
    drain();
    lines_.finish_last();
    if (WIFEXITED(status)) return {CommandOutcome::Kind::kExited, WEXITSTATUS(status)};
    return {CommandOutcome::Kind::kSignalled, WTERMSIG(status)};
  }

 private:
  // Leaves it unreaped: until then its process group can't be another's.
  bool has_ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(child_.pid), &info, WEXITED | WNOHANG | WNOWAIT) !=
               0 ||
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
    ::kill(-child_.pid, SIGKILL);  // the child leads a process group of its own
  }

  const Command& command_;
  process::Child child_;
  base::UniqueFd output_;
  LineCutter lines_;
};

process::SpawnRequest request_of(const Command& command, int null, int output,
                                 const process::SeccompFilter& filter) {
  process::SpawnRequest out{
      .argv = command.argv, .env = command.env, .working_dir = command.working_dir};
  out.fds = {{null, 0}, {output, 1}, {output, 2}};
  const auto left =
      std::chrono::duration_cast<std::chrono::seconds>(command.deadline - steady_clock::now());
  // Several threads use more CPU time than the clock shows; the bound is for runaways.
  const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(left.count(), 1));
  out.limits = {.processes = kProcessesMax,
                .open_files = kOpenFilesMax,
                .file_bytes = kFileBytesMax,
                .cpu_seconds = seconds * 8 + 10};
  if (process::has_seccomp()) out.seccomp = &filter;
  out.landlock = command.files;
  if (command.isolation == Command::Isolation::kNone) return out;
  out.jail = process::Jail{.root_kind = process::Jail::Root::kTree,
                           .root = command.root,
                           .mounts = command.mounts,
                           .hostname = "build",
                           .network = command.network,
                           .rights = process::Jail::Rights::kPackageManager};
  return out;
}

// What to do when an overlay's mount failed: it lies with the tree's file system (overlayfs is no
// upper folder of another) or the kernel (in a user namespace since 5.11). Else empty.
std::string overlay_advice(const Command& command, std::string_view error) {
  for (const process::Mount& mount : command.mounts) {
    if (mount.kind != process::Mount::Kind::kOverlay ||
        !error.contains(fmt::format("mounting {}:", mount.target))) {
      continue;
    }
    const auto place = std::filesystem::path(mount.target).lexically_relative(command.root);
    return fmt::format(
        ". The image has files of its own below /{0}, where RUN needs this machine's too: put "
        "--state on ext4 or xfs (it lies on a file system that can't be overlaid, or the daemon is "
        "not root on a kernel before 5.11), or don't write below /{0}",
        place.string());
  }
  return {};
}

}  // namespace

Result<CommandOutcome> run_command(const Command& command) {
  HEARTH_TRY(output, make_pipe());
  const base::UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const auto filter = process::make_seccomp_filter(process::SeccompPart::kWhole);
  auto child = process::spawn(request_of(command, null.get(), output.write.get(), filter));
  output.write.reset();
  if (!child) {
    const bool withheld = process::withholds_namespaces(child.error());
    const std::string& message = child.error().message;
    return fail(withheld ? Code::kUnavailable : Code::kPreconditionFailed,
                message + overlay_advice(command, message));
  }
  return Run(command, std::move(*child), std::move(output.read)).wait();
}

std::string isolation_withheld(const std::filesystem::path& folder) {
  process::SpawnRequest request{.argv = {"/bin/true"}, .env = {}};
  request.jail = process::Jail{.root = folder,
                               .binds = process::host_binds(),
                               .hostname = "build",
                               .rights = process::Jail::Rights::kPackageManager};
  const auto child = process::spawn(request);
  if (child) {
    (void)process::reap(*child);
    return {};
  }
  return process::withholds_namespaces(child.error()) ? child.error().message : std::string();
}

}  // namespace hearth::builder
