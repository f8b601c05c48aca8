#include <CLI/CLI.hpp>
#include <iostream>

#include "cli/command.h"
#include "cli/exit_code.h"

int main(int argc, char** argv) {
  CLI::App app{"Hearth: the local home of Knative Lambda", "hearth"};
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help for every command");
  app.set_version_flag("--version", "hearth " HEARTH_VERSION);
  int exit_code = 0;
  hearth::cli::register_up(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    return code == 0 ? 0 : hearth::cli::kUsage;
  }
  return exit_code;
}
