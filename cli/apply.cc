// hearth apply: creates what is missing, changes what differs.
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/field_hint.h"
#include "cli/flag_values.h"
#include "cli/manifests.h"
#include "cli/merge.h"
#include "cli/state_location.h"
#include "cli/wait.h"

namespace hearth::cli {
namespace {

constexpr int kConflictRetries = 5;

struct ApplyFlags {
  Target target;
  std::vector<std::string> files;
  bool wait = false;
  bool dry_run = false;
  std::string timeout = "5m";
};

struct Applied {
  Kind kind;
  std::string ns;
  std::string name;
};

Result<Kind> kind_for(ApiClient& api, Kinds& kinds, const Json& object) {
  const std::string version = base::string_at(object, {"apiVersion"});
  const std::string name = base::string_at(object, {"kind"});
  if (auto kind = kinds.of(version, name)) return kind;
  // A definition earlier in the same file may have brought it.
  HEARTH_TRY(fresh, Kinds::load(api));
  kinds = std::move(fresh);
  return kinds.of(version, name);
}

// Creates or updates; returns the verb that people read.
Result<std::string> put(ApiClient& api, const ApplyFlags& flags, const Applied& to, Json object) {
  const std::string query =
      query_of({{"fieldValidation", "Strict"}, {"dryRun", flags.dry_run ? "All" : ""}});
  if (!to.ns.empty()) object["metadata"]["namespace"] = to.ns;
  for (int attempt = 0;; ++attempt) {
    const auto live = api.get(path_of(to.kind.type, to.ns, to.name));
    if (!live && live.error().code != Code::kNotFound) return fail(live.error());
    const Result<Json> written =
        live ? api.send("PUT", path_of(to.kind.type, to.ns, to.name) + query,
                        merge_applied(*live, object))
             : api.send("POST", path_of(to.kind.type, to.ns) + query, with_last_applied(object));
    if (written) {
      if (!live) return std::string("created");
      const bool same =
          resource::resource_version_of(*live) == resource::resource_version_of(*written);
      return std::string(same && !flags.dry_run ? "unchanged" : "configured");
    }
    // Someone else (a controller, usually) wrote between our read and our write.
    const bool raced = written.error().code == Code::kConflict ||
                       (written.error().code == Code::kAlreadyExists && !live);
    if (!raced || attempt == kConflictRetries) return fail(written.error());
  }
}

Error explained(ApiClient& api, const Applied& to, const std::string& origin, Error error) {
  error.message =
      fmt::format("{}: {} \"{}\": {}", origin, to.kind.type.kind, to.name, error.message);
  for (const FieldError& field : error.fields) {
    if (!field.message.contains("unknown field")) continue;
    const std::string near = nearest_field(api, to.kind, field.field);
    if (!near.empty()) error.message += fmt::format("; did you mean \"{}\"?", near);
  }
  return error;
}

Result<Applied> apply_one(ApiClient& api, Kinds& kinds, const ApplyFlags& flags,
                          const Manifest& manifest) {
  auto kind = kind_for(api, kinds, manifest.object);
  if (!kind) return fail(with_context(kind.error(), manifest.origin));
  Applied to{*kind, namespace_for(manifest, kind->type, flags.target.ns),
             resource::name_of(manifest.object)};
  if (to.name.empty()) {
    return fail(Code::kInvalid,
                fmt::format("{}: {}: metadata.name: is missing", manifest.origin, kind->type.kind));
  }
  const auto verb = put(api, flags, to, manifest.object);
  if (!verb) return fail(explained(api, to, manifest.origin, verb.error()));
  std::cout << fmt::format("{}/{} {}{}\n", kind->qualified_singular(), to.name, *verb,
                           flags.dry_run ? " (dry run)" : "");
  std::cout.flush();
  return to;
}

Result<int> wait_for_all(ApiClient& api, const ApplyFlags& flags,
                         const std::vector<Applied>& applied) {
  HEARTH_TRY(timeout, duration_flag(flags.timeout, "--timeout"));
  int code = kOk;
  for (const Applied& one : applied) {
    if (!becomes_ready(one.kind)) continue;
    const Status ready = wait_ready(api, one.kind, one.ns, one.name, timeout);
    // The others are waited for all the same: all that fails is said at once.
    if (ready) continue;
    if (const int failed = report(ready.error()); code == kOk) code = failed;
  }
  return code;
}

Result<int> run(const ApplyFlags& flags) {
  HEARTH_TRY(manifests, load_manifests(flags.files));
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  ApiClient api(std::move(daemon));
  HEARTH_TRY(kinds, Kinds::load(api));
  std::vector<Applied> applied;
  int code = kOk;
  for (const Manifest& manifest : manifests) {
    auto one = apply_one(api, kinds, flags, manifest);
    // The others are applied all the same, as kubectl does; the first failure gives the code.
    if (one)
      applied.push_back(std::move(*one));
    else if (const int failed = report(one.error()); code == kOk)
      code = failed;
  }
  if (!flags.wait || flags.dry_run) return code;
  HEARTH_TRY(waited, wait_for_all(api, flags, applied));
  return code == kOk ? waited : code;
}

}  // namespace

void register_apply(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<ApplyFlags>();
  CLI::App* apply = app.add_subcommand("apply", "Create or change objects from manifests");
  apply->add_option("-f,--filename", flags->files, "File, folder or - (standard input); repeatable")
      ->required()
      ->allow_extra_args(false)
      ->type_name("PATH");
  apply->add_flag("--wait", flags->wait, "Wait until what was applied is Ready");
  apply->add_option("--timeout", flags->timeout, "How long --wait waits")
      ->check(check_duration)
      ->type_name("DURATION")
      ->capture_default_str();
  apply->add_flag("--dry-run", flags->dry_run, "Let the server check everything, change nothing");
  add_target_flags(*apply, flags->target);
  apply->footer(
      "Examples:\n"
      "  hearth apply -f function.yaml --wait\n"
      "  hearth apply -f samples/event-pipeline -n demo\n"
      "  generate | hearth apply -f -");
  apply->callback([flags, &exit_code] {
    const auto code = run(*flags);
    exit_code = code ? *code : report(code.error());
  });
}

}  // namespace hearth::cli
