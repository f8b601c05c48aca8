// hearth help COMMAND…: the same as --help, where people look for it first.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "platform/base/text.h"

namespace hearth::cli {
namespace {

CLI::App* command_of(CLI::App& parent, const std::string& name) {
  for (CLI::App* command : parent.get_subcommands({})) {
    if (command->get_name() == name) return command;
  }
  return nullptr;
}

int run(CLI::App& app, const std::vector<std::string>& words) {
  CLI::App* at = &app;
  std::string before;  // the words of the usage line that lead to it
  for (const std::string& word : words) {
    CLI::App* next = command_of(*at, word);
    if (next == nullptr) {
      std::vector<std::string> names;
      for (const CLI::App* command : at->get_subcommands({})) names.push_back(command->get_name());
      const auto near = base::nearest(word, names);
      std::cerr << fmt::format("error: no command \"{}\"{}\n", base::join(words, " "),
                               near ? fmt::format("; did you mean \"{}\"?", *near) : "");
      return kUsage;
    }
    before += (before.empty() ? "" : " ") + at->get_name();
    at = next;
  }
  std::cout << at->help(before);
  return kOk;
}

}  // namespace

void register_help(CLI::App& app, int& exit_code) {
  auto words = std::make_shared<std::vector<std::string>>();
  CLI::App* help = app.add_subcommand("help", "Show the help of a command");
  help->add_option("command", *words, "Command and its subcommand")->type_name("COMMAND");
  help->footer("Examples:\n  hearth help apply\n  hearth help event send");
  help->callback([words, &app, &exit_code] { exit_code = run(app, *words); });
}

}  // namespace hearth::cli
