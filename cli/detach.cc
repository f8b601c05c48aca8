#include "cli/detach.h"

#include <iostream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include "platform/base/file.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kLogBytesMax = 256UL * 1024 * 1024;

// What the child wrote since it was started.
std::string log_since(const std::filesystem::path& log, std::size_t begin) {
  const auto text = base::read_file(log, kLogBytesMax);
  return text && text->size() > begin ? text->substr(begin) : "";
}

int wait_for_child(pid_t child, int ready_fd, const std::filesystem::path& log, std::size_t begin) {
  char byte = 0;
  ssize_t count = 0;
  do count = ::read(ready_fd, &byte, 1);
  while (count < 0 && errno == EINTR);
  if (count == 1) return 0;
  int status = 0;
  ::waitpid(child, &status, 0);
  // Its last words are the error that a foreground daemon would have printed.
  std::cerr << log_since(log, begin);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void become_background(int log_fd) {
  ::setsid();
  const base::UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ::dup2(nothing.get(), STDIN_FILENO);
  ::dup2(log_fd, STDOUT_FILENO);
  ::dup2(log_fd, STDERR_FILENO);
}

}  // namespace

Result<Detached> detach(const std::filesystem::path& state) {
  HEARTH_CHECK_OK(base::make_private_directory(state));
  const std::filesystem::path log = state / "daemon.log";
  const base::UniqueFd log_fd(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log_fd) return fail(system_error(errno, log.string()));
  const off_t log_end = ::lseek(log_fd.get(), 0, SEEK_END);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(system_error(errno, "pipe"));
  const base::UniqueFd read_end(ends[0]);
  base::UniqueFd write_end(ends[1]);
  std::cout.flush();
  const pid_t child = ::fork();
  if (child < 0) return fail(system_error(errno, "starting the daemon"));
  if (child == 0) {
    become_background(log_fd.get());
    return Detached{.ready = std::move(write_end)};
  }
  write_end.reset();
  return Detached{
      .is_parent = true,
      .exit_code = wait_for_child(child, read_end.get(), log, static_cast<std::size_t>(log_end))};
}

void report_ready(Detached& detached) {
  if (!detached.ready) return;
  (void)!::write(detached.ready.get(), "+", 1);
  detached.ready.reset();
}

}  // namespace hearth::cli
