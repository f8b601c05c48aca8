// hearth delete: by manifest, by name, by label.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/manifests.h"
#include "cli/object_words.h"
#include "cli/state_location.h"
#include "cli/wait.h"
#include "cli/wait_flags.h"

namespace hearth::cli {
namespace {

struct DeleteFlags {
  Target target;
  std::vector<std::string> files;
  std::vector<std::string> words;  // TYPE NAME…
  std::string selector;
  bool ignore_missing = false;
  WaitFlags waiting{.timeout = "1m"};
};

struct Doomed {
  Kind kind;
  std::string ns;
  std::string name;
};

Result<std::vector<Doomed>> from_files(const DeleteFlags& flags, const Kinds& kinds) {
  std::vector<Doomed> out;
  HEARTH_TRY(manifests, load_manifests(flags.files));
  for (const Manifest& manifest : manifests) {
    auto kind = kinds.of(base::string_at(manifest.object, {"apiVersion"}),
                         base::string_at(manifest.object, {"kind"}));
    if (!kind) return fail(with_context(kind.error(), manifest.where("kind")));
    out.push_back({*kind, namespace_for(manifest, kind->type, flags.target.ns),
                   resource::name_of(manifest.object)});
  }
  // The reverse of how they came: what uses others goes first.
  std::ranges::reverse(out);
  return out;
}

Result<std::vector<Doomed>> from_words(const DeleteFlags& flags, ApiClient& api,
                                       const Kinds& kinds) {
  HEARTH_TRY(objects, parse_object_words(flags.words));
  HEARTH_TRY(asked_kinds, kinds_of(std::move(objects), kinds));
  std::vector<Doomed> out;
  for (const KindWords& asked : asked_kinds) {
    const Kind& kind = asked.kind;
    const std::string ns = kind.type.namespaced ? flags.target.ns : "";
    std::vector<std::string> names = asked.names;
    if (!flags.selector.empty()) {
      HEARTH_TRY(list,
                 api.get(path_of(kind.type, ns) + query_of({{"labelSelector", flags.selector}})));
      for (const Json& item : list["items"]) names.push_back(resource::name_of(item));
    }
    for (const std::string& name : names) out.push_back({kind, ns, name});
  }
  return out;
}

Status remove(ApiClient& api, const DeleteFlags& flags, const Doomed& one) {
  auto gone = api.send("DELETE", path_of(one.kind.type, one.ns, one.name), nullptr);
  if (!gone && gone.error().code == Code::kNotFound && flags.ignore_missing) return {};
  if (!gone) return fail(with_near_miss(gone.error(), api, one.kind, one.ns, one.name));
  std::cout << fmt::format("{} \"{}\" deleted\n", one.kind.qualified_singular(), one.name);
  return {};
}

Result<int> run(const DeleteFlags& flags) {
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  ApiClient api(std::move(daemon));
  HEARTH_TRY(kinds, Kinds::load(api));
  HEARTH_TRY(doomed,
             flags.files.empty() ? from_words(flags, api, kinds) : from_files(flags, kinds));
  HEARTH_TRY(timeout, flags.waiting.patience());
  int code = kOk;
  for (const Doomed& one : doomed) {
    const Status removed = remove(api, flags, one);
    if (removed) continue;
    if (const int failed = report(removed.error()); code == kOk) code = failed;
  }
  for (const Doomed& one : doomed) {
    if (flags.waiting.wait) HEARTH_CHECK_OK(wait_gone(api, {one.kind, one.ns, one.name}, timeout));
  }
  return code;
}

void check_usage(const DeleteFlags& flags) {
  if (flags.words.empty() && flags.files.empty()) {
    throw CLI::RequiredError("TYPE NAME or -f PATH");
  }
  const auto objects = parse_object_words(flags.words);
  if (!objects) throw CLI::ValidationError(objects.error().message);
  for (const ObjectWords& asked : *objects) {
    if (asked.names.empty() && flags.selector.empty()) {
      throw CLI::RequiredError("NAME or -l LABELS");
    }
    // Else the labels would be forgotten, and too much deleted.
    if (!asked.names.empty() && !flags.selector.empty()) {
      throw CLI::ValidationError("-l", "a name cannot be provided when a selector is specified");
    }
  }
}

}  // namespace

void register_delete(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<DeleteFlags>();
  CLI::App* command = app.add_subcommand("delete", "Delete objects");
  CLI::Option* words =
      command->add_option("what", flags->words, "Kind and names, or -f")->type_name("TYPE NAME…");
  command->add_option("-f,--filename", flags->files, "File, folder or -; repeatable")
      ->allow_extra_args(false)
      ->type_name("PATH")
      ->excludes(words);
  command->add_option("-l,--selector", flags->selector, "Those with the labels")
      ->type_name("LABELS");
  add_wait_flags(*command, flags->waiting, "Wait until they are gone");
  command->add_flag("--ignore-not-found", flags->ignore_missing, "What is missing is no error");
  add_target_flags(*command, flags->target);
  command->footer(
      "Examples:\n"
      "  hearth delete function hello-python --wait\n"
      "  hearth delete -f samples/event-pipeline");
  command->callback([flags, &exit_code] {
    check_usage(*flags);
    const auto code = run(*flags);
    exit_code = code ? *code : report(code.error());
  });
}

}  // namespace hearth::cli
