// hearth build: asks for a new build of a function; hearth build logs: what the build wrote.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/flag_values.h"
#include "cli/function_lookup.h"
#include "cli/pod_logs.h"
#include "cli/state_location.h"
#include "cli/wait.h"
#include "cli/wait_flags.h"
#include "platform/base/clock.h"
#include "platform/lambda/function.h"
#include "platform/resource/well_known.h"

namespace hearth::cli {
namespace {

struct BuildFlags {
  Target target;
  std::string name;
  WaitFlags waiting{.timeout = "10m"};
  bool follow = false;
};

Status rebuild(const BuildFlags& flags) {
  const std::string name = bare_name(flags.name);
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  ApiClient api(std::move(daemon));
  HEARTH_TRY(function, find_function(api, flags.target.ns, name));
  const std::string now = base::format_rfc3339_millis(base::SystemClock().wall());
  const Json patch{{"metadata", {{"annotations", {{lambda::kRebuildAnnotation, now}}}}}};
  HEARTH_TRY(patched,
             api.send("PATCH", path_of(resource::kFunctions, flags.target.ns, name), patch));
  std::cout << fmt::format("lambdafunction.lambda.knative.io/{} rebuild requested\n", name);
  std::cout.flush();
  if (!flags.waiting.wait) return {};
  HEARTH_TRY(timeout, flags.waiting.patience());
  const Awaited awaited{
      {.type = resource::kFunctions, .singular = "lambdafunction"}, flags.target.ns, name};
  // An annotation is no new generation: the status says when the request was taken up.
  const auto taken_up = [&now](const Json* current) -> Result<bool> {
    return current == nullptr ||
           base::string_at(*current, {"status", "buildStatus", "rebuildRequested"}) == now;
  };
  const Status seen = watch_object(api, awaited, timeout, taken_up);
  if (!seen && seen.error().code == Code::kDeadlineExceeded) {
    return fail(Code::kDeadlineExceeded, "the rebuild was not taken up");
  }
  HEARTH_CHECK_OK(seen);
  return wait_ready(api, awaited, timeout);
}

Status show_logs(const BuildFlags& flags) {
  const std::string name = bare_name(flags.name);
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  ApiClient api(daemon);
  HEARTH_TRY(function, find_function(api, flags.target.ns, name));
  const std::string job = base::string_at(function, {"status", "buildStatus", "jobName"});
  if (job.empty()) {
    return fail(Code::kNotFound,
                fmt::format("function \"{}\" has no build: its phase is {}", name,
                            base::string_at(function, {"status", "phase"}, "Pending")));
  }
  const PodLogOptions options{.ns = flags.target.ns, .selector = "job-name=" + job};
  if (flags.follow) return follow_pod_logs(daemon, options, true);
  HEARTH_TRY(pods, print_pod_logs(api, options));
  if (pods == 0) {
    return fail(Code::kNotFound, fmt::format("the pod of the build job \"{}\" is gone, and its log "
                                             "with it; `hearth build {}` builds again",
                                             job, name));
  }
  return {};
}

}  // namespace

void register_build(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<BuildFlags>();
  CLI::App* build =
      app.add_subcommand("build", "Build a function anew; `build logs`: its build log");
  build->add_option("name", flags->name, "Function")->check(check_function)->type_name("NAME");
  add_wait_flags(*build, flags->waiting, "Wait until the function is Ready again");
  add_target_flags(*build, flags->target);
  build->footer(
      "Examples:\n"
      "  hearth build hello-python --wait\n"
      "  hearth build logs -f hello-python");
  auto log_flags = std::make_shared<BuildFlags>();
  CLI::App* logs = build->add_subcommand("logs", "Show the log of a function's last build");
  logs->add_option("name", log_flags->name, "Function")
      ->required()
      ->check(check_function)
      ->type_name("NAME");
  logs->add_flag("-f,--follow", log_flags->follow, "Go on until the build ends");
  add_target_flags(*logs, log_flags->target);
  logs->footer("Examples:\n  hearth build logs hello-python\n  hearth build logs -f hello-python");
  logs->callback([log_flags, &exit_code] { exit_code = finish(show_logs(*log_flags)); });
  build->callback([flags, build, &exit_code] {
    if (!build->get_subcommands().empty()) return;
    if (flags->name.empty()) throw CLI::RequiredError("NAME");
    exit_code = finish(rebuild(*flags));
  });
}

}  // namespace hearth::cli
