// hearth apply: creates what is missing, changes what differs.
#include "cli/apply.h"

#include <algorithm>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/field_hint.h"
#include "cli/manifests.h"
#include "cli/merge.h"
#include "cli/state_location.h"
#include "cli/wait.h"
#include "cli/wait_flags.h"

namespace hearth::cli {
namespace {

// A controller at work writes the status every few milliseconds.
constexpr int kConflictRetries = 50;

struct ApplyFlags {
  Target target;
  std::vector<std::string> files;
  bool dry_run = false;
  WaitFlags waiting;
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
Result<std::string> put(ApiClient& api, const ApplyOptions& options, const Applied& to,
                        Json object) {
  const std::string query =
      query_of({{"fieldValidation", "Strict"}, {"dryRun", options.dry_run ? "All" : ""}});
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
      return std::string(same && !options.dry_run ? "unchanged" : "configured");
    }
    // Someone else (a controller, usually) wrote between our read and our write.
    const bool raced = written.error().code == Code::kConflict ||
                       (written.error().code == Code::kAlreadyExists && !live);
    if (!raced || attempt == kConflictRetries) return fail(written.error());
  }
}

Error explained(ApiClient& api, const Applied& to, const Manifest& manifest, Error error) {
  // The first field that is wrong; each further one brings its own place.
  const std::string first = error.fields.empty() ? "" : error.fields.front().field;
  error.message = fmt::format("{}: {} \"{}\": {}", manifest.where(first), to.kind.type.kind,
                              to.name, error.message);
  for (std::size_t i = 1; i < error.fields.size(); ++i) {
    const std::string& field = error.fields[i].field;
    error.message += fmt::format("\n  {}: {}", manifest.where(field), field);
  }
  for (const FieldError& field : error.fields) {
    if (!field.message.contains("unknown field")) continue;
    const std::string near = nearest_field(api, to.kind, field.field);
    if (!near.empty()) error.message += fmt::format("; did you mean \"{}\"?", near);
  }
  return error;
}

}  // namespace

Result<Applied> apply_one(ApiClient& api, Kinds& kinds, const ApplyOptions& options,
                          const Manifest& manifest) {
  auto kind = kind_for(api, kinds, manifest.object);
  if (!kind) return fail(with_context(kind.error(), manifest.where("kind")));
  Applied to{*kind, namespace_for(manifest, kind->type, options.ns),
             resource::name_of(manifest.object)};
  const auto verb = put(api, options, to, manifest.object);
  if (!verb) return fail(explained(api, to, manifest, verb.error()));
  std::cout << fmt::format("{}/{} {}{}\n", kind->qualified_singular(), to.name, *verb,
                           options.dry_run ? " (dry run)" : "");
  std::cout.flush();
  return to;
}

namespace {

// True when a definition among the manifests brings the kind.
bool is_defined_here(const std::vector<Manifest>& manifests, const std::string& kind) {
  return std::ranges::any_of(manifests, [&](const Manifest& manifest) {
    return base::string_at(manifest.object, {"kind"}) == "CustomResourceDefinition" &&
           base::string_at(manifest.object, {"spec", "names", "kind"}) == kind;
  });
}

// What can be known to be wrong before anything is changed.
std::vector<Error> problems_of(const std::vector<Manifest>& manifests, const Kinds& kinds) {
  std::vector<Error> out;
  for (const Manifest& manifest : manifests) {
    const std::string kind = base::string_at(manifest.object, {"kind"});
    const auto known = kinds.of(base::string_at(manifest.object, {"apiVersion"}), kind);
    if (!known && !is_defined_here(manifests, kind)) {
      out.push_back(with_context(known.error(), manifest.where("kind")));
    }
    if (resource::name_of(manifest.object).empty()) {
      out.push_back(
          {Code::kInvalid,
           fmt::format("{}: {}: metadata.name: is missing", manifest.where("metadata"), kind),
           {}});
    }
  }
  return out;
}

Result<int> wait_for_all(const Daemon& daemon, const ApplyFlags& flags,
                         const std::vector<Applied>& applied) {
  HEARTH_TRY(timeout, flags.waiting.patience());
  std::vector<Awaited> awaited;
  for (const Applied& one : applied) {
    if (becomes_ready(one.kind)) awaited.push_back({one.kind, one.ns, one.name});
  }
  int code = kOk;
  // All are waited for, whatever happens to one: all that fails is said at once.
  for (const Status& ready : wait_all_ready(daemon, awaited, timeout)) {
    if (ready) continue;
    if (const int failed = report(ready.error()); code == kOk) code = failed;
  }
  return code;
}

Result<int> run(const ApplyFlags& flags) {
  HEARTH_TRY(manifests, load_manifests(flags.files));
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  ApiClient api(daemon);
  HEARTH_TRY(kinds, Kinds::load(api));
  if (const auto problems = problems_of(manifests, kinds); !problems.empty()) {
    for (const Error& problem : problems) (void)report(problem);
    std::cerr << "nothing was applied\n";
    return kInvalidCode;
  }
  const ApplyOptions options{.ns = flags.target.ns, .dry_run = flags.dry_run};
  std::vector<Applied> applied;
  std::string left_out;
  int code = kOk;
  for (const Manifest& manifest : manifests) {
    auto one = apply_one(api, kinds, options, manifest);
    // The others are applied all the same, as kubectl does; the first failure gives the code.
    if (one) {
      applied.push_back(std::move(*one));
      continue;
    }
    if (const int failed = report(one.error()); code == kOk) code = failed;
    left_out += fmt::format("\n  {} \"{}\" of {}", base::string_at(manifest.object, {"kind"}),
                            resource::name_of(manifest.object), manifest.origin);
  }
  if (!left_out.empty() && manifests.size() > 1) {
    std::cerr << fmt::format("{} of {} applied; not applied:{}\n", applied.size(), manifests.size(),
                             left_out);
  }
  if (!flags.waiting.wait || flags.dry_run) return code;
  HEARTH_TRY(waited, wait_for_all(daemon, flags, applied));
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
  add_wait_flags(*apply, flags->waiting, "Wait until what was applied is Ready");
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
