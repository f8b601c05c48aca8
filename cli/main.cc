#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "platform/base/text.h"

namespace {

void register_commands(CLI::App& app, int& exit_code) {
  using namespace hearth::cli;
  register_up(app, exit_code);
  register_down(app, exit_code);
  register_status(app, exit_code);
  register_apply(app, exit_code);
  register_deploy(app, exit_code);
  register_get(app, exit_code);
  register_describe(app, exit_code);
  register_delete(app, exit_code);
  register_invoke(app, exit_code);
  register_logs(app, exit_code);
  register_build(app, exit_code);
  register_event(app, exit_code);
  register_dlq(app, exit_code);
  register_s3(app, exit_code);
  register_kubeconfig(app, exit_code);
  register_operator(app, exit_code);
  register_render(app, exit_code);
  register_doctor(app, exit_code);
  register_version(app, exit_code);
  register_completion(app, exit_code);
  register_help(app, exit_code);
}

// "hearth invok": CLI11 only says that the word was not expected.
void suggest_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  if (std::ranges::find(names, argv[1]) != names.end()) return;
  const auto near = hearth::base::nearest(argv[1], names);
  std::cerr << fmt::format("error: unknown command \"{}\"{}\n", argv[1],
                           near ? fmt::format("; did you mean \"{}\"?", *near) : "");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "__complete") {
    return hearth::cli::complete({argv + 2, argv + argc});
  }
  CLI::App app{"Hearth: the local home of Knative Lambda", "hearth"};
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help for every command");
  app.set_version_flag("--version", "hearth " HEARTH_VERSION);
  app.footer(
      "Start here:\n"
      "  hearth up -d\n"
      "  hearth apply -f samples/hello-python/function.yaml --wait\n"
      "  hearth invoke hello-python -d '{\"name\":\"Ada\"}'\n");
  int exit_code = 0;
  register_commands(app, exit_code);
  // `up` waits for the signal itself; every other command just ends, with the code of the contract.
  ::signal(SIGINT, [](int) { ::_exit(hearth::cli::kInterrupted); });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) suggest_command(app, argc, argv);
    const int code = app.exit(e);
    return code == 0 ? 0 : hearth::cli::kUsage;
  }
  return exit_code;
}
