// hearth dlq: the events that no attempt could deliver.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/api_client.h"
#include "cli/broker_records.h"
#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/state_location.h"

namespace hearth::cli {
namespace {

using base::string_at;

struct DlqFlags {
  RecordFlags records;
  std::int64_t id = -1;
  std::string trigger;
  bool all = false;
};

std::string scope_query(const DlqFlags& flags, bool with_limit) {
  return query_of({{"namespace", flags.records.ns()},
                   {"trigger", flags.trigger},
                   {"limit", with_limit ? std::to_string(flags.records.limit) : ""}});
}

std::vector<std::string> row_of(const Json& letter) {
  return {std::to_string(base::int_at(letter, {"id"}).value_or(0)),
          string_at(letter, {"at"}),
          string_at(letter, {"namespace"}) + "/" + string_at(letter, {"trigger"}),
          string_at(letter, {"event", "type"}),
          string_at(letter, {"event", "id"}),
          std::to_string(base::int_at(letter, {"attempts"}).value_or(0)),
          std::to_string(base::int_at(letter, {"code"}).value_or(0)),
          string_at(letter, {"reason"})};
}

Status list(const DlqFlags& flags) {
  return list_records(
      flags.records, "deadletters" + scope_query(flags, true),
      {.kind = "DeadLetterList",
       .header = {"ID", "AT", "TRIGGER", "EVENT TYPE", "EVENT ID", "ATTEMPTS", "CODE", "REASON"},
       .row = row_of,
       .none = "No dead letters."});
}

Status show(const DlqFlags& flags) {
  return show_record(flags.records, fmt::format("deadletters/{}", flags.id), "DeadLetter");
}

Status replay(const DlqFlags& flags) {
  HEARTH_TRY(api, connect(flags.records.target));
  const std::string path = flags.all ? "deadletters/replay" + scope_query(flags, false)
                                     : fmt::format("deadletters/{}/replay", flags.id);
  HEARTH_TRY(answer, api.administer("POST", path));
  const auto skipped = base::int_at(answer, {"skipped"}).value_or(0);
  std::cout << fmt::format("{} queued for delivery\n",
                           base::int_at(answer, {"replayed"}).value_or(0));
  if (skipped > 0) std::cerr << fmt::format("{} skipped: their triggers are gone\n", skipped);
  return {};
}

Status purge(const DlqFlags& flags) {
  HEARTH_TRY(api, connect(flags.records.target));
  const std::string path = flags.all ? "deadletters" + scope_query(flags, false)
                                     : fmt::format("deadletters/{}", flags.id);
  HEARTH_TRY(answer, api.administer("DELETE", path));
  std::cout << fmt::format("{} purged\n", base::int_at(answer, {"purged"}).value_or(0));
  return {};
}

using Action = Status (*)(const DlqFlags&);

void register_list(CLI::App& dlq, int& exit_code) {
  auto flags = std::make_shared<DlqFlags>();
  CLI::App* command = dlq.add_subcommand("list", "List dead letters, oldest first");
  command->add_option("--trigger", flags->trigger, "Only of this trigger");
  add_record_list_flags(*command, flags->records);
  command->footer("Examples:\n  hearth dlq list\n  hearth dlq list -A -o json");
  command->callback([flags, &exit_code] { exit_code = finish(list(*flags)); });
}

void register_show(CLI::App& dlq, int& exit_code) {
  auto flags = std::make_shared<DlqFlags>();
  CLI::App* command = dlq.add_subcommand("show", "Show a dead letter with its event");
  command->add_option("id", flags->id, "Id of `dlq list`")->required()->type_name("ID");
  add_record_flags(*command, flags->records);
  command->footer("Example:\n  hearth dlq show 7");
  command->callback([flags, &exit_code] { exit_code = finish(show(*flags)); });
}

// replay and purge: one by its id, or all of a scope that must be asked for.
void register_action(CLI::App& dlq, const char* name, const char* help, Action action,
                     int& exit_code) {
  auto flags = std::make_shared<DlqFlags>();
  CLI::App* command = dlq.add_subcommand(name, help);
  CLI::Option* id = command->add_option("id", flags->id, "Id of `dlq list`")->type_name("ID");
  CLI::Option* all = command->add_flag("--all", flags->all, "All of the namespace")->excludes(id);
  command->add_option("--trigger", flags->trigger, "With --all: only of this trigger")->needs(all);
  command
      ->add_flag("-A,--all-namespaces", flags->records.all_namespaces, "With --all: all namespaces")
      ->needs(all);
  add_target_flags(*command, flags->records.target);
  command->footer(fmt::format(
      "Examples:\n  hearth dlq {} 7\n  hearth dlq {} --all --trigger orders", name, name));
  command->callback([flags, action, &exit_code] {
    if (flags->id < 0 && !flags->all) throw CLI::RequiredError("ID or --all");
    exit_code = finish(action(*flags));
  });
}

}  // namespace

void register_dlq(CLI::App& app, int& exit_code) {
  CLI::App* dlq = app.add_subcommand("dlq", "Dead letters: events that could not be delivered");
  dlq->require_subcommand(1);
  dlq->footer(
      "Examples:\n"
      "  hearth dlq list\n"
      "  hearth dlq replay 7\n"
      "  hearth dlq replay --all --trigger orders\n"
      "  hearth dlq purge --all");
  register_list(*dlq, exit_code);
  register_show(*dlq, exit_code);
  register_action(*dlq, "replay", "Deliver again", replay, exit_code);
  register_action(*dlq, "purge", "Forget for good", purge, exit_code);
}

}  // namespace hearth::cli
