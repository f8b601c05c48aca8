// hearth_bench_spawn: how long a program takes from fork to its end, or to its first answer.
//
//   hearth_bench_spawn --rounds 50 -- python3 -I -S -c pass
//   hearth_bench_spawn --rounds 50 --first-answer -- ./handler
//
// --first-answer starts the program as the daemon starts a wrapper without a jail: a listening Unix
// socket as descriptor 3, a control socket as descriptor 4; it sends one request in the wrapper's
// frames (emulator/gateway/frames.h) and waits for the answer. Prints one JSON object.
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/load/latencies.h"
#include "tests/bench/load/sockets.h"

extern char** environ;

namespace hearth::bench {
namespace {

struct Options {
  int rounds = 20;
  bool first_answer = false;
  std::vector<std::string> command;
};

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> out;
  out.reserve(words.size() + 1);
  for (std::string& word : words) out.push_back(word.data());
  out.push_back(nullptr);
  return out;
}

pid_t spawn(Options& options, int listener, int control) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (listener >= 0) {
    posix_spawn_file_actions_adddup2(&actions, listener, 3);
    posix_spawn_file_actions_adddup2(&actions, control, 4);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  }
  std::vector<std::string> variables;
  for (char** item = environ; *item != nullptr; ++item) variables.emplace_back(*item);
  if (listener >= 0) {
    variables.emplace_back("HEARTH_SOCKET_FD=3");
    variables.emplace_back("HEARTH_CONTROL_FD=4");
  }
  auto argv = pointers(options.command);
  auto env = pointers(variables);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) die(fmt::format("{}: {}", options.command[0], std::strerror(error)));
  return pid;
}

void wait_for_end(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
}

double time_to_end(Options& options) {
  const auto start = MonotonicClock::now();
  wait_for_end(spawn(options, -1, -1));
  return micros_between(start, MonotonicClock::now());
}

std::string frame(char type, char flags, std::string_view payload) {
  std::string out;
  for (int shift = 0; shift < 32; shift += 8) {
    out += static_cast<char>((payload.size() >> shift) & 0xff);
  }
  out += {type, flags, 0, 0};
  out += payload;
  return out;
}

// Reads frames until one ends the message.
void read_answer(int fd) {
  std::string bytes;
  char piece[16 * 1024];
  while (true) {
    while (bytes.size() >= 8) {
      std::size_t length = 0;
      for (std::size_t i = 0; i < 4; ++i) {
        length |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
      }
      if (bytes.size() < 8 + length) break;
      if ((bytes[5] & 1) != 0) return;
      bytes.erase(0, 8 + length);
    }
    const ssize_t n = ::recv(fd, piece, sizeof piece, 0);
    if (n <= 0) die("the program ended without an answer");
    bytes.append(piece, static_cast<std::size_t>(n));
  }
}

double time_to_answer(Options& options) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/tmp/hearth-bench-{}.sock", ::getpid());
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ::unlink(path.c_str());
  const Socket listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 16) != 0) {
    die("listening at " + path);
  }
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) die("socketpair");
  const Socket control(pair[0]);
  const Socket theirs(pair[1]);
  const std::string request =
      frame(1, 0, "POST /\nhost: bench\ncontent-type: application/json\ncontent-length: 2\n") +
      frame(2, 1, "{}");

  const auto start = MonotonicClock::now();
  const pid_t pid = spawn(options, listener.get(), theirs.get());
  const Socket client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    die("connecting to the program");
  }
  read_answer(client.get());
  const double micros = micros_between(start, MonotonicClock::now());
  ::kill(pid, SIGKILL);
  wait_for_end(pid);
  ::unlink(path.c_str());
  return micros;
}

}  // namespace
}  // namespace hearth::bench

int main(int argc, char** argv) {
  hearth::bench::Options options;
  CLI::App app("time of a program from fork to its end or first answer");
  app.add_option("--rounds", options.rounds)->check(CLI::Range(1, 100'000));
  app.add_flag("--first-answer", options.first_answer);
  app.add_option("command", options.command)->required();
  CLI11_PARSE(app, argc, argv);
  hearth::bench::Latencies latencies;
  const auto start = hearth::bench::MonotonicClock::now();
  for (int round = 0; round < options.rounds; ++round) {
    latencies.add(options.first_answer ? hearth::bench::time_to_answer(options)
                                       : hearth::bench::time_to_end(options));
  }
  const double seconds =
      hearth::bench::micros_between(start, hearth::bench::MonotonicClock::now()) / 1e6;
  fmt::print("{{\"rounds\":{},\"rate\":{:.1f},{}}}\n", options.rounds, options.rounds / seconds,
             latencies.json());
}
