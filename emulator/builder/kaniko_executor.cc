#include "emulator/builder/kaniko_executor.h"

#include <deque>

#include <fmt/format.h>

#include "emulator/builder/command.h"
#include "emulator/builder/host_view.h"
#include "platform/base/file.h"

namespace hearth::builder {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLastLines = 20;

// What the executor finds as its container's root.
Status make_root(const BuildRequest& request, const fs::path& executor, const fs::path& root) {
  for (const char* name : {"kaniko", "tmp", "root"}) {
    HEARTH_CHECK_OK(base::make_private_directory(root / name));
  }
  std::error_code error;
  fs::copy_file(executor, root / "kaniko/executor", error);
  if (error) {
    return fail(Code::kUnavailable, fmt::format("{}: {}", executor.string(), error.message()));
  }
  fs::permissions(root / "kaniko/executor", fs::perms::owner_all, error);
  fs::copy(request.context, root / "workspace",
           fs::copy_options::recursive | fs::copy_options::copy_symlinks, error);
  if (error) return fail(Code::kInternal, "the build context: " + error.message());
  return {};
}

Status outcome_status(const CommandOutcome& outcome, const BuildRequest& request,
                      const std::deque<std::string>& last_lines) {
  using Kind = CommandOutcome::Kind;
  if (outcome.kind == Kind::kExited && outcome.code == 0) return {};
  if (outcome.kind == Kind::kCancelled) return fail(Code::kCancelled, "the build was cancelled");
  if (outcome.kind == Kind::kTimedOut) {
    return fail(Code::kDeadlineExceeded,
                fmt::format("the build took longer than {} s", request.timeout.count()));
  }
  std::string message =
      fmt::format("Kaniko's executor: {} {}",
                  outcome.kind == Kind::kExited ? "exit code" : "ended by signal", outcome.code);
  for (const std::string& line : last_lines) message += "\n" + line;
  return fail(Code::kPreconditionFailed, std::move(message));
}

}  // namespace

std::vector<std::string> kaniko_arguments(const BuildRequest& request) {
  std::vector<std::string> out;
  out.reserve(request.arguments.size() + 1);
  for (const std::string& argument : request.arguments) {
    out.push_back(argument.starts_with("--context=") ? "--context=dir:///workspace" : argument);
  }
  // It refuses to run where it sees no container around itself; this root is one.
  out.emplace_back("--force");
  return out;
}

Status run_kaniko(const BuildRequest& request, const fs::path& executor, const fs::path& folder) {
  const fs::path root = folder / "root";
  const fs::path scratch = folder / "scratch";
  HEARTH_CHECK_OK(base::make_private_directory(root));
  HEARTH_CHECK_OK(base::make_private_directory(scratch));
  HEARTH_CHECK_OK(make_root(request, executor, root));
  HEARTH_TRY(view, HostView::prepare(
                       {}, {.tree = root, .scratch = scratch, .caches = {}, .host_backed = false}));
  std::deque<std::string> last_lines;
  Command command{
      .root = root,
      .mounts = view->mounts(),
      .argv = {"/kaniko/executor"},
      .env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/kaniko",
              "HOME=/root", "DOCKER_CONFIG=/kaniko/.docker"},
      .working_dir = "/workspace",
      .deadline = request.started + request.timeout};
  for (std::string& argument : kaniko_arguments(request)) command.argv.push_back(argument);
  command.is_cancelled = [&] { return request.cancelled && request.cancelled->load(); };
  command.output = [&](std::string_view line) {
    last_lines.emplace_back(line);
    if (last_lines.size() > kLastLines) last_lines.pop_front();
    if (request.log) request.log(line);
  };
  HEARTH_TRY(outcome, run_command(command));
  return outcome_status(outcome, request, last_lines);
}

}  // namespace hearth::builder
