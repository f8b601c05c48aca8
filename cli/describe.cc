// hearth describe: everything about one object that helps to understand it.
#include <algorithm>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/kinds.h"
#include "cli/state_location.h"
#include "cli/text_table.h"
#include "platform/base/clock.h"
#include "platform/base/printable.h"
#include "platform/base/text.h"
#include "platform/base/yaml.h"
#include "platform/resource/condition.h"
#include "platform/resource/well_known.h"

namespace hearth::cli {
namespace {

using base::string_at;

struct DescribeFlags {
  Target target;
  std::string type;
  std::string name;
};

void print_indented(std::string_view text, std::size_t indent) {
  for (const std::string_view line : base::split(base::trim(text), '\n')) {
    if (!line.empty()) std::cout << std::string(indent, ' ') << base::printable(line);
    std::cout << "\n";
  }
}

void field(std::string_view name, const std::string& value) {
  if (value.empty()) return;
  std::cout << fmt::format("{:<14}{}\n", fmt::format("{}:", name), base::printable(value));
}

std::string age_of(const std::string& timestamp) {
  const auto time = base::parse_rfc3339(timestamp);
  if (!time) return "";
  return base::human_duration(
      std::chrono::duration_cast<std::chrono::seconds>(base::SystemClock().wall() - *time));
}

void print_map(std::string_view title, const Json& object, const char* name) {
  const Json* map = base::find(object, {"metadata", name});
  if (map == nullptr || !map->is_object()) return;
  bool first = true;
  for (const auto& [key, value] : map->items()) {
    // A whole manifest says nothing that is not printed anyway.
    if (key.ends_with("last-applied-configuration")) continue;
    field(first ? title : "", fmt::format("{}={}", key, value.get<std::string>()));
    first = false;
  }
}

void print_metadata(const Json& object, const Kind& kind) {
  field("Name", resource::name_of(object));
  field("Namespace", resource::namespace_of(object));
  field("Kind", fmt::format("{} ({})", kind.type.kind, kind.type.api_version()));
  print_map("Labels", object, "labels");
  print_map("Annotations", object, "annotations");
  const std::string created = string_at(object, {"metadata", "creationTimestamp"});
  field("Created", fmt::format("{} ({} ago)", created, age_of(created)));
  if (resource::is_being_deleted(object)) {
    field("Deleting", "since " + string_at(object, {"metadata", "deletionTimestamp"}));
  }
  field("Phase", string_at(object, {"status", "phase"}));
  field("URL", string_at(object, {"status", "url"}));
}

void print_section(std::string_view title, const Json* value) {
  if (value == nullptr || value->empty()) return;
  std::cout << title << ":\n";
  print_indented(base::dump_yaml(*value), 2);
}

void print_conditions(const Json& object) {
  const Json* conditions = base::find(object, {"status", "conditions"});
  if (conditions == nullptr || !conditions->is_array() || conditions->empty()) return;
  std::cout << "Conditions:\n";
  TextTable table({"  TYPE", "STATUS", "REASON", "AGE"});
  for (const Json& c : *conditions) {
    table.add({"  " + string_at(c, {"type"}), string_at(c, {"status"}), string_at(c, {"reason"}),
               age_of(string_at(c, {"lastTransitionTime"}))});
  }
  table.print(std::cout);
  // In full: the traceback of a function that did not load is in there.
  for (const Json& c : *conditions) {
    const std::string message = string_at(c, {"message"});
    if (message.empty() || string_at(c, {"status"}) == "True") continue;
    std::cout << fmt::format("  {}:\n", base::printable(string_at(c, {"type"})));
    print_indented(message, 4);
  }
}

// A function's own status, without what the other sections say.
void print_function_status(const Json& object) {
  print_section("Build", base::find(object, {"status", "buildStatus"}));
  print_section("Service", base::find(object, {"status", "serviceStatus"}));
}

Result<std::vector<Json>> labelled(ApiClient& api, const resource::Type& type,
                                   const std::string& ns, const std::string& selector) {
  HEARTH_TRY(list, api.get(path_of(type, ns) + query_of({{"labelSelector", selector}})));
  return std::vector<Json>(list["items"].begin(), list["items"].end());
}

void print_revisions(ApiClient& api, const std::string& ns, const std::string& name) {
  const auto revisions =
      labelled(api, resource::kRevisions, ns, "serving.knative.dev/configuration=" + name);
  if (!revisions || revisions->empty()) return;
  std::cout << "Revisions:\n";
  TextTable table({"  NAME", "READY", "REASON", "AGE"});
  for (const Json& revision : *revisions) {
    const auto ready = resource::condition_of(revision, "Ready");
    table.add({"  " + resource::name_of(revision), ready.status, ready.reason,
               age_of(string_at(revision, {"metadata", "creationTimestamp"}))});
  }
  table.print(std::cout);
}

void print_pods(ApiClient& api, const std::string& ns, const std::string& name) {
  const auto pods = labelled(api, resource::kPods, ns, "lambda.knative.io/name=" + name);
  if (!pods) return;
  std::cout << "Pods:\n";
  if (pods->empty()) {
    std::cout << "  none: scaled to zero, the next request starts one\n";
    return;
  }
  TextTable table({"  NAME", "PHASE", "PURPOSE", "AGE"});
  for (const Json& pod : *pods) {
    const bool build = !resource::label_of(pod, "job-name").empty();
    table.add({"  " + resource::name_of(pod), string_at(pod, {"status", "phase"}),
               build ? "build" : "instance",
               age_of(string_at(pod, {"metadata", "creationTimestamp"}))});
  }
  table.print(std::cout);
}

void print_events(ApiClient& api, const Json& object) {
  const auto list = api.get(path_of(resource::kEvents, resource::namespace_of(object)));
  if (!list) return;
  TextTable table({"  TYPE", "REASON", "AGE", "MESSAGE"});
  for (const Json& event : (*list)["items"]) {
    if (string_at(event, {"involvedObject", "uid"}) != resource::uid_of(object)) continue;
    table.add({"  " + string_at(event, {"type"}), string_at(event, {"reason"}),
               age_of(string_at(event, {"lastTimestamp"})), string_at(event, {"message"})});
  }
  std::cout << "Events:" << (table.has_rows() ? "\n" : "       none\n");
  if (table.has_rows()) table.print(std::cout);
}

Status run(DescribeFlags flags) {
  if (const auto slash = flags.type.find('/'); slash != flags.type.npos && flags.name.empty()) {
    flags.name = flags.type.substr(slash + 1);
    flags.type.erase(slash);
  }
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  ApiClient api(std::move(daemon));
  HEARTH_TRY(kinds, Kinds::load(api));
  HEARTH_TRY(kind, kinds.find(flags.type));
  const std::string ns = kind.type.namespaced ? flags.target.ns : "";
  const auto object = api.get(path_of(kind.type, ns, flags.name));
  if (!object) return fail(with_near_miss(object.error(), api, kind, ns, flags.name));
  print_metadata(*object, kind);
  print_section("Spec", base::find(*object, {"spec"}));
  print_section("Data", base::find(*object, {"data"}));
  print_conditions(*object);
  if (kind.type.plural == resource::kFunctions.plural) {
    print_function_status(*object);
    print_revisions(api, ns, flags.name);
    print_pods(api, ns, flags.name);
  }
  print_events(api, *object);
  return {};
}

}  // namespace

void register_describe(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<DescribeFlags>();
  CLI::App* describe = app.add_subcommand("describe", "Show one object and what belongs to it");
  describe->add_option("type", flags->type, "Kind by any of its names")
      ->required()
      ->type_name("TYPE[/NAME]");
  describe->add_option("name", flags->name, "Name of the object")->type_name("NAME");
  add_target_flags(*describe, flags->target);
  describe->footer(
      "Examples:\n"
      "  hearth describe function hello-python\n"
      "  hearth describe trigger/orders -n demo");
  describe->callback([flags, &exit_code] {
    if (flags->name.empty() && !flags->type.contains('/')) throw CLI::RequiredError("NAME");
    exit_code = finish(run(*flags));
  });
}

}  // namespace hearth::cli
