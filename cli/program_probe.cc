#include "cli/program_probe.h"

#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/base/text.h"
#include "platform/base/unique_fd.h"

namespace hearth::cli {
namespace {

constexpr std::chrono::seconds kLimit{5};

std::string find_on_path(const std::string& name) {
  const char* path = std::getenv("PATH");
  for (const std::string_view folder : base::split(path != nullptr ? path : "/usr/bin:/bin", ':')) {
    const std::filesystem::path candidate = std::filesystem::path(folder) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

// Both streams of the child until it ends or the limit is reached.
std::string read_until_end(int fd, std::chrono::steady_clock::time_point limit) {
  std::string output;
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        limit - std::chrono::steady_clock::now());
    pollfd entry{fd, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) <= 0) return output;
    char buffer[1024];
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count <= 0) return output;
    if (output.size() < 64UL * 1024) output.append(buffer, static_cast<std::size_t>(count));
  }
}

}  // namespace

ProbedProgram probe_program(const std::string& name, const std::vector<std::string>& arguments) {
  ProbedProgram out{.path = find_on_path(name)};
  if (out.path.empty()) return out;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return out;
  const base::UniqueFd read_end(ends[0]);
  base::UniqueFd write_end(ends[1]);
  std::vector<char*> argv{out.path.data()};
  std::vector<std::string> copies = arguments;
  for (std::string& argument : copies) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const auto begin = std::chrono::steady_clock::now();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(write_end.get(), STDOUT_FILENO);
    ::dup2(write_end.get(), STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  write_end.reset();
  if (pid < 0) return out;
  const std::string output = read_until_end(read_end.get(), begin + kLimit);
  ::kill(pid, SIGKILL);
  int status = 0;
  ::waitpid(pid, &status, 0);
  out.start_time = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - begin);
  out.version = std::string(base::trim(output.substr(0, output.find('\n'))));
  return out;
}

}  // namespace hearth::cli
