// hearth logs: what the instances of a function wrote.
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
#include "platform/resource/well_known.h"

namespace hearth::cli {
namespace {

struct LogsFlags {
  Target target;
  std::string name;
  std::string since;
  std::string container;
  std::int64_t tail = -1;
  bool follow = false;
  bool prefix = false;
  bool timestamps = false;
};

Result<PodLogOptions> options_from(const LogsFlags& flags, const std::string& name) {
  PodLogOptions options{.ns = flags.target.ns,
                        .selector = "serving.knative.dev/service=" + name,
                        .container = flags.container,
                        .tail = flags.tail < 0 ? "" : std::to_string(flags.tail),
                        .prefix = flags.prefix,
                        .timestamps = flags.timestamps};
  if (!flags.since.empty()) {
    HEARTH_TRY(since, duration_flag(flags.since, "--since"));
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(since);
    options.since_seconds = std::to_string(std::max<std::int64_t>(1, seconds.count()));
  }
  return options;
}

// A function, or any Knative Service of that name.
Status check_exists(ApiClient& api, const std::string& ns, const std::string& name) {
  const auto function = find_function(api, ns, name);
  if (function || api.get(path_of(resource::kKnativeServices, ns, name))) return {};
  return fail(function.error());
}

Status run(const LogsFlags& flags) {
  const std::string name = bare_name(flags.name);
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  ApiClient api(daemon);
  HEARTH_CHECK_OK(check_exists(api, flags.target.ns, name));
  HEARTH_TRY(options, options_from(flags, name));
  if (flags.follow) return follow_pod_logs(daemon, options, false);
  HEARTH_TRY(pods, print_pod_logs(api, options));
  if (pods == 0) {
    std::cerr << fmt::format(
        "{} has no instances now (scaled to zero); `hearth invoke {}` starts "
        "one, `hearth logs -f {}` waits for it\n",
        name, name, name);
  }
  return {};
}

}  // namespace

void register_logs(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<LogsFlags>();
  CLI::App* logs = app.add_subcommand("logs", "Show what a function wrote");
  logs->add_option("name", flags->name, "Function")
      ->required()
      ->check(check_function)
      ->type_name("NAME");
  logs->add_flag("-f,--follow", flags->follow, "Go on, with new instances too, until interrupted");
  logs->add_option("--tail", flags->tail, "Only the last lines of each instance")->type_name("N");
  logs->add_option("--since", flags->since, "Only what is newer than this")
      ->check(check_duration)
      ->type_name("DURATION");
  logs->add_option("-c,--container", flags->container, "Container")->type_name("NAME");
  logs->add_flag("--prefix", flags->prefix, "Begin lines with their instance, even with one only");
  logs->add_flag("--timestamps", flags->timestamps, "Begin lines with their time");
  add_target_flags(*logs, flags->target);
  logs->footer(
      "Examples:\n"
      "  hearth logs hello-python -f\n"
      "  hearth logs hello-python --tail 20 --since 5m");
  logs->callback([flags, &exit_code] { exit_code = finish(run(*flags)); });
}

}  // namespace hearth::cli
