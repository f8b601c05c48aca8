#include "platform/lambda/clone_process.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "platform/async/deadline.h"
#include "platform/base/file.h"
#include "platform/base/limits.h"
#include "platform/base/unique_fd.h"
#include "platform/lambda/git_clone.h"
#include "platform/process/pipe_reader.h"
#include "platform/process/spawn.h"

namespace hearth::lambda {
namespace {

constexpr std::size_t kAnswerBytesMax = 64 * 1024;
// Of one file. What a server sends is bounded more closely (limit_transfer in git_clone.cc); this
// is for what it makes of it.
constexpr std::uint64_t kFileBytesMax = 2 * limits::kContextBytesMax;
// What libgit2 and its libraries read: configuration and known hosts in HOME, where the
// certificates are, what lies between us and the server.
constexpr std::array kVariables{"HOME",         "XDG_CONFIG_HOME", "PATH",       "SSL_CERT_FILE",
                                "SSL_CERT_DIR", "http_proxy",      "HTTP_PROXY", "https_proxy",
                                "HTTPS_PROXY",  "all_proxy",       "ALL_PROXY",  "no_proxy",
                                "NO_PROXY"};

class CloneProcess {
 public:
  CloneProcess(async::Loop& loop, process::Child child, base::UniqueFd answer)
      : child_(std::move(child)),
        ended_(loop, base::UniqueFd(::dup(child_.pidfd.get()))),
        answer_(loop, std::move(answer)) {}
  ~CloneProcess() { (void)end(); }
  CloneProcess(const CloneProcess&) = delete;
  CloneProcess& operator=(const CloneProcess&) = delete;

  // All that it says, once it has ended.
  Task<Result<std::string>> answer() {
    std::string out;
    std::array<char, 4096> buffer;
    while (out.size() <= kAnswerBytesMax) {
      HEARTH_CO_TRY(got, co_await answer_.read_some(buffer.data(), buffer.size()));
      out.append(buffer.data(), got);
      if (got > 0) continue;
      (void)co_await ended_.wait_readable();
      co_return out;
    }
    co_return fail(Code::kInternal, "its answer has no end");
  }

  // Its exit code, or 128 + signal; by force when it hasn't ended.
  int end() {
    if (child_.pid < 0) return exit_code_;
    ::kill(-child_.pid, SIGKILL);  // it leads a group of its own
    exit_code_ = process::reap(child_);
    child_.pid = -1;
    return exit_code_;
  }

 private:
  process::Child child_;
  process::PipeReader ended_;
  process::PipeReader answer_;
  int exit_code_ = 0;
};

std::vector<std::string> environment() {
  std::vector<std::string> out;
  for (const char* name : kVariables) {
    if (const char* value = std::getenv(name)) out.push_back(fmt::format("{}={}", name, value));
  }
  return out;
}

// Unnamed, and read from its beginning by whoever gets it. A pipe might fill up and block us.
Result<base::UniqueFd> memory_file(const std::string& text) {
  base::UniqueFd file(::memfd_create("order", MFD_CLOEXEC));
  if (!file) return fail(system_error(errno, "memfd_create"));
  HEARTH_CHECK_OK(base::write_all(file.get(), text));
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail(system_error(errno, "lseek"));
  return file;
}

Result<std::unique_ptr<CloneProcess>> start(async::Loop& loop, const std::string& executable,
                                            const std::string& order_text) {
  HEARTH_TRY(order, memory_file(order_text));
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) return fail(system_error(errno, "pipe"));
  base::UniqueFd answer(fds[0]);
  const base::UniqueFd theirs(fds[1]);
  HEARTH_TRY(child, process::spawn({.argv = {executable, "__clone"},
                                    .env = environment(),
                                    .fds = {{order.get(), STDIN_FILENO},
                                            {theirs.get(), STDOUT_FILENO},
                                            {STDERR_FILENO, STDERR_FILENO}},
                                    .limits = {.file_bytes = kFileBytesMax}}));
  return std::make_unique<CloneProcess>(loop, std::move(child), std::move(answer));
}

Error about(const GitLocation& location, Code code, std::string_view what) {
  return {code, fmt::format("git repository {}: {}", location.url, what), {}};
}

}  // namespace

Task<Status> clone_by_process(async::Loop& loop, CloneProcessOptions options, GitLocation location,
                              std::filesystem::path folder) {
  auto process = start(loop, options.executable, clone_order(location, folder));
  if (!process) co_return fail(about(location, process.error().code, process.error().message));
  const auto answer = co_await async::with_deadline((*process)->answer(), options.deadline);
  if (!answer) {
    co_return fail(about(location, Code::kUnavailable,
                         fmt::format("no answer for {} s; see whether its server answers, and "
                                     "whether the URL is right",
                                     options.deadline.count())));
  }
  if (!*answer) co_return fail(about(location, answer->error().code, answer->error().message));
  const int exit_code = (*process)->end();
  auto outcome = parse_clone_answer(**answer);
  if (outcome) co_return std::move(*outcome);
  co_return fail(about(location, Code::kInternal,
                       fmt::format("cloning it ended without an answer, with exit code {}; it is "
                                   "tried again",
                                   exit_code)));
}

}  // namespace hearth::lambda
