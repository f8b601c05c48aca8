#include <algorithm>
#include <iostream>
#include <optional>
#include <ranges>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/standard_output.h"
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

// The commands that were recognised, from the outside in: "hearth", "event", "send".
std::vector<const CLI::App*> recognised(const CLI::App& app) {
  std::vector<const CLI::App*> out{&app};
  while (!out.back()->get_subcommands().empty()) {
    out.push_back(out.back()->get_subcommands().front());
  }
  return out;
}

std::string with_near_miss(std::string text, const std::string& word,
                           const std::vector<std::string>& candidates) {
  const auto near = hearth::base::nearest(word, candidates);
  return near ? fmt::format("{}; did you mean \"{}\"?", text, *near) : text;
}

// "hearth invok": CLI11 only says that the word was not expected.
std::optional<std::string> unknown_command(const CLI::App& innermost,
                                           const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const CLI::App* command : innermost.get_subcommands({})) {
    names.push_back(command->get_name());
  }
  if (names.empty() || words.empty() || words.front().starts_with('-')) return std::nullopt;
  return with_near_miss(fmt::format("unknown command \"{}\"", words.front()), words.front(), names);
}

std::optional<std::string> unknown_flag(const CLI::App& innermost,
                                        const std::vector<std::string>& words) {
  std::vector<std::string> names;
  for (const CLI::Option* option : innermost.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  for (const std::string& word : words) {
    if (word == "--") break;
    const std::string name = word.substr(0, word.find('='));
    if (!name.starts_with("--") || std::ranges::find(names, name) != names.end()) continue;
    return with_near_miss(fmt::format("unknown flag {}", name), name, names);
  }
  return std::nullopt;
}

// All of one form: what was wrong, the near miss, and where help is.
int usage_error(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const auto commands = recognised(app);
  const std::vector<std::string> words(argv + std::min<std::ptrdiff_t>(argc, std::ssize(commands)),
                                       argv + argc);
  auto message = unknown_command(*commands.back(), words);
  if (!message) message = unknown_flag(*commands.back(), words);
  std::string path = "hearth";
  for (const CLI::App* command : commands | std::views::drop(1)) path += " " + command->get_name();
  std::cerr << fmt::format("error: {}\nSee `{} --help`.\n", message.value_or(error.what()), path);
  return hearth::cli::kUsage;
}

int run(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "__complete") {
    return hearth::cli::complete({argv + 2, argv + argc});
  }
  if (argc == 2 && std::string_view(argv[1]) == "__clone") return hearth::cli::clone();
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
    if (e.get_exit_code() == 0) return app.exit(e);  // help, version
    return usage_error(app, e, argc, argv);
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  hearth::cli::StandardOutput output;
  return output.finish(run(argc, argv));
}
