// hearth down: stops the daemon of a state folder and waits for its end.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/exit_code.h"
#include "cli/flag_values.h"
#include "cli/state_location.h"
#include "platform/base/unique_fd.h"

namespace hearth::cli {
namespace {

struct DownFlags {
  Target target;
  std::string timeout = "30s";
};

Status run(const DownFlags& flags) {
  HEARTH_TRY(timeout, duration_flag(flags.timeout, "--timeout"));
  const auto state = flags.target.state_folder();
  const auto pid = running_daemon(state);
  if (!pid) {
    return fail(Code::kUnavailable,
                fmt::format("the daemon is not running: no process uses {}", state.string()));
  }
  // First the handle, then the signal: the id can't come to mean another process in between.
  const base::UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)));
  if (!process || running_daemon(state) != pid) {
    std::cerr << "the daemon has just ended\n";
    return {};
  }
  if (::syscall(SYS_pidfd_send_signal, process.get(), SIGTERM, nullptr, 0) != 0) {
    return fail(system_error(errno, fmt::format("stopping process {}", *pid)));
  }
  std::cerr << fmt::format("stopping process {}: requests in flight may end\n", *pid);
  pollfd ended{process.get(), POLLIN, 0};
  const auto limit = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  if (::poll(&ended, 1, static_cast<int>(std::min<std::int64_t>(limit, 1'000'000'000))) == 0) {
    return fail(Code::kDeadlineExceeded,
                fmt::format("process {} still runs after {}; `kill -9 {}` ends it at once", *pid,
                            flags.timeout, *pid));
  }
  std::cout << "hearth is down\n";
  return {};
}

}  // namespace

void register_down(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<DownFlags>();
  CLI::App* down = app.add_subcommand("down", "Stop the daemon");
  down->add_option("--timeout", flags->timeout, "How long to wait for its end")
      ->check(check_duration)
      ->type_name("DURATION")
      ->capture_default_str();
  add_state_flag(*down, flags->target);
  down->footer("Example:\n  hearth down --timeout 10s");
  down->callback([flags, &exit_code] { exit_code = finish(run(*flags)); });
}

}  // namespace hearth::cli
