// hearth completion: scripts for shells, made from the commands that there are. Names of functions
// come from the running daemon.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "platform/base/text.h"

namespace hearth::cli {
namespace {

// The commands whose arguments the daemon knows: hearth __complete is asked for them.
constexpr std::string_view kAskedCommands = "get describe delete invoke logs build";
constexpr std::string_view kAskedPaths =
    R"(get|describe|delete|invoke|logs|build|"build logs"|"dlq show"|"dlq replay"|"dlq purge")";

struct Entry {
  std::string path;   // "event send"
  std::string words;  // subcommands and long flags
  std::string help;
};

void collect(const CLI::App& app, const std::string& path, std::vector<Entry>& out) {
  std::vector<std::string> words;
  for (const CLI::App* command : app.get_subcommands({})) words.push_back(command->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  out.push_back({path, base::join(words, " "), app.get_description()});
  for (const CLI::App* command : app.get_subcommands({})) {
    collect(*command, path.empty() ? command->get_name() : path + " " + command->get_name(), out);
  }
}

// The words that come after a command: for bash and (through bashcompinit) zsh.
void print_bash(const std::vector<Entry>& entries) {
  std::cout << "_hearth() {\n"
               "  local current=${COMP_WORDS[COMP_CWORD]} path= words= word\n"
               "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
               "    case \"${path:+$path }$word\" in\n";
  std::vector<std::string> paths;
  for (const Entry& entry : entries) {
    if (!entry.path.empty()) paths.push_back('"' + entry.path + '"');
  }
  std::cout << "      " << base::join(paths, "|") << ") path=\"${path:+$path }$word\" ;;\n"
            << "    esac\n  done\n  case \"$path\" in\n";
  for (const Entry& entry : entries) {
    std::cout << fmt::format("    \"{}\") words='{}' ;;\n", entry.path, entry.words);
  }
  std::cout << "  esac\n"
               "  case \"$path\" in\n"
               "    "
            << kAskedPaths
            << ")\n"
               "      [[ $current == -* ]] || words=\"$words $(hearth __complete "
               "\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\" ;;\n"
               "  esac\n"
               "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
               "  [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- \"$current\"))\n"
               "}\n"
               "complete -F _hearth hearth\n";
}

void print_zsh(const std::vector<Entry>& entries) {
  std::cout << "#compdef hearth\nautoload -U +X bashcompinit && bashcompinit\n";
  print_bash(entries);
}

std::string quoted(const std::string& text) {
  return "'" + base::replace_all(text, "'", "\\'") + "'";
}

void print_fish(const CLI::App& root) {
  std::cout << "complete -c hearth -f\n";
  for (const CLI::App* command : root.get_subcommands({})) {
    const std::string name = command->get_name();
    std::cout << fmt::format("complete -c hearth -n __fish_use_subcommand -a {} -d {}\n", name,
                             quoted(command->get_description()));
    const std::string seen = fmt::format("'__fish_seen_subcommand_from {}'", name);
    for (const CLI::App* inner : command->get_subcommands({})) {
      std::cout << fmt::format("complete -c hearth -n {} -a {} -d {}\n", seen, inner->get_name(),
                               quoted(inner->get_description()));
    }
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& flag : option->get_lnames()) {
        std::cout << fmt::format("complete -c hearth -n {} -l {} -d {}\n", seen, flag,
                                 quoted(option->get_description()));
      }
    }
  }
  std::cout << fmt::format(
      "complete -c hearth -n '__fish_seen_subcommand_from {}' "
      "-a \"(hearth __complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)\"\n",
      kAskedCommands);
}

}  // namespace

void register_completion(CLI::App& app, int& exit_code) {
  auto shell = std::make_shared<std::string>();
  CLI::App* completion = app.add_subcommand("completion", "Print a completion script");
  completion->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  completion->footer(
      "Examples:\n"
      "  source <(hearth completion bash)\n"
      "  hearth completion fish > ~/.config/fish/completions/hearth.fish");
  completion->callback([shell, &app, &exit_code] {
    std::vector<Entry> entries;
    collect(app, "", entries);
    if (*shell == "bash")
      print_bash(entries);
    else if (*shell == "zsh")
      print_zsh(entries);
    else
      print_fish(app);
    exit_code = kOk;
  });
}

}  // namespace hearth::cli
