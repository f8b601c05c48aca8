// hearth version: of this program, and of the daemon when one runs.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/daemon.h"
#include "cli/http_client.h"
#include "cli/output.h"
#include "cli/state_location.h"

namespace hearth::cli {
namespace {

struct VersionFlags {
  Target target;
  std::string output;
};

// "" when none runs.
std::string daemon_version(const Target& target) {
  const auto daemon = find_daemon(target.state_folder());
  if (!daemon) return {};
  HttpClient gateway(daemon->gateway);
  const auto reply = gateway.call({.target = "/status", .timeout = std::chrono::seconds(2)});
  const auto page = reply ? base::parse_json(reply->body) : Result<Json>(fail(reply.error()));
  return page ? base::string_at(*page, {"version"}) : "";
}

Status run(const VersionFlags& flags) {
  HEARTH_TRY(output, Output::parse(flags.output));
  const std::string daemon = daemon_version(flags.target);
  if (!output.is_table()) {
    Json value{{"version", HEARTH_VERSION}, {"daemon", nullptr}};
    if (!daemon.empty()) value["daemon"] = daemon;
    return print_value(output, value);
  }
  std::cout << "hearth " HEARTH_VERSION "\n";
  if (!daemon.empty()) std::cout << "daemon " << daemon << "\n";
  return {};
}

}  // namespace

void register_version(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<VersionFlags>();
  CLI::App* version = app.add_subcommand("version", "Show the versions of program and daemon");
  add_output_flag(*version, flags->output);
  add_state_flag(*version, flags->target);
  version->footer("Example:\n  hearth version -o json");
  version->callback([flags, &exit_code] { exit_code = finish(run(*flags)); });
}

}  // namespace hearth::cli
