// hearth status: is the daemon up, where does it answer, how are its functions.
#include <iostream>
#include <map>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/api_client.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/state_location.h"
#include "platform/base/text.h"
#include "platform/resource/well_known.h"

namespace hearth::cli {
namespace {

struct StatusFlags {
  Target target;
  std::string output;
};

Result<Json> read_status(const Daemon& daemon) {
  ApiClient api(daemon);
  HEARTH_TRY(functions, api.get(path_of(resource::kFunctions, {})));
  std::map<std::string, int> phases;
  for (const Json& function : functions["items"]) {
    ++phases[base::string_at(function, {"status", "phase"}, "Pending")];
  }
  HttpClient gateway(daemon.gateway);
  HEARTH_TRY(reply, gateway.call({.target = "/status"}));
  const auto page = base::parse_json(reply.body);
  return Json{
      {"running", true},
      {"pid", daemon.pid},
      {"version", page ? base::string_at(*page, {"version"}) : ""},
      {"state", daemon.state.string()},
      {"gateway", daemon.gateway},
      {"api", daemon.api},
      {"s3", daemon.s3},
      {"registry", daemon.registry},
      {"kubeconfig", daemon.kubeconfig.string()},
      {"instances", page ? base::int_at(*page, {"instances"}).value_or(0) : 0},
      {"sandboxMissing", page ? page->value("sandboxMissing", Json::array()) : Json::array()},
      {"functions", {{"total", functions["items"].size()}, {"phases", phases}}}};
}

void print_text(const Json& status) {
  std::string phases;
  for (const auto& [phase, count] : status["functions"]["phases"].items()) {
    phases += fmt::format("{}{} {}", phases.empty() ? " (" : ", ", count.get<int>(), phase);
  }
  if (!phases.empty()) phases += ")";
  std::cout << fmt::format("hearth {} is up (process {})\n", status["version"].get<std::string>(),
                           status["pid"].get<int>());
  for (const char* name : {"state", "gateway", "api", "s3", "registry", "kubeconfig"}) {
    std::cout << fmt::format("  {:<11} {}\n", name, status[name].get<std::string>());
  }
  std::cout << fmt::format("  {:<11} {}{}\n", "functions",
                           status["functions"]["total"].get<std::size_t>(), phases);
  std::cout << fmt::format("  {:<11} {} running\n", "instances",
                           status["instances"].get<std::int64_t>());
  const auto missing = status["sandboxMissing"].get<std::vector<std::string>>();
  if (!missing.empty()) {
    std::cout << fmt::format("  {:<11} without {} (see hearth doctor)\n", "sandbox",
                             base::join(missing, ", "));
  }
}

Status run(const StatusFlags& flags) {
  HEARTH_TRY(output, Output::parse(flags.output));
  const auto state = flags.target.state_folder();
  const auto daemon = find_daemon(state);
  const auto status = daemon ? read_status(*daemon) : Result<Json>(fail(daemon.error()));
  if (!status) {
    if (!output.is_table()) {
      HEARTH_CHECK_OK(print_value(output, {{"running", false}, {"state", state.string()}}));
    }
    return fail(status.error());
  }
  if (!output.is_table()) return print_value(output, *status);
  print_text(*status);
  return {};
}

}  // namespace

void register_status(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<StatusFlags>();
  CLI::App* status = app.add_subcommand("status", "Show whether and where the daemon answers");
  add_output_flag(*status, flags->output);
  add_state_flag(*status, flags->target);
  status->footer("Example:\n  hearth status -o json");
  status->callback([flags, &exit_code] { exit_code = finish(run(*flags)); });
}

}  // namespace hearth::cli
