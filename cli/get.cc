// hearth get: one object, some or all of a kind, once or as they change.
#include <algorithm>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/flag_values.h"
#include "cli/object_words.h"
#include "cli/output.h"
#include "cli/server_table.h"
#include "cli/state_location.h"

namespace hearth::cli {
namespace {

struct GetFlags {
  Target target;
  std::string type;
  std::vector<std::string> names;
  std::string selector;
  std::string output;
  bool all_namespaces = false;
  bool watch = false;
};

struct Query {
  Kind kind;
  std::string ns;  // empty: all
  std::vector<std::string> names;
  std::string selector;
  Output output;
  bool show_namespace = false;
};

std::string list_target(const Query& query, std::string resource_version = {}) {
  return path_of(query.kind.type, query.ns) +
         query_of({{"labelSelector", query.selector},
                   {"watch", resource_version.empty() ? "" : "true"},
                   {"resourceVersion", resource_version}});
}

struct Fetched {
  Json list;                  // null when nothing was found
  std::vector<Error> errors;  // of the others, which don't hide what was found
};

void append(Json& all, Json one, std::string_view accept) {
  if (accept == kAcceptJson) {
    all["items"].push_back(std::move(one));
  } else if (all.is_null()) {
    all = std::move(one);
  } else {
    for (Json& row : one["rows"]) all["rows"].push_back(std::move(row));
  }
}

// What was asked for: the objects of the names, or the list.
Fetched fetch(ApiClient& api, const Query& query, std::string_view accept) {
  Fetched out;
  if (query.names.empty()) {
    auto list = api.get(list_target(query), accept);
    if (list)
      out.list = std::move(*list);
    else
      out.errors.push_back(list.error());
  }
  for (const std::string& name : query.names) {
    auto one = api.get(path_of(query.kind.type, query.ns, name), accept);
    if (one)
      append(out.list, std::move(*one), accept);
    else
      out.errors.push_back(with_near_miss(one.error(), api, query.kind, query.ns, name));
  }
  return out;
}

int report_all(const std::vector<Error>& errors) {
  int code = kOk;
  for (const Error& error : errors) {
    if (const int failed = report(error); code == kOk) code = failed;
  }
  return code;
}

int print_tables(ApiClient& api, const std::vector<Query>& queries, std::string& version) {
  std::vector<Error> errors;
  bool any = false;
  for (const Query& query : queries) {
    const Fetched fetched = fetch(api, query, kAcceptTable);
    errors.insert(errors.end(), fetched.errors.begin(), fetched.errors.end());
    version = base::string_at(fetched.list, {"metadata", "resourceVersion"});
    const Json* rows = base::find(fetched.list, {"rows"});
    if (rows == nullptr || rows->empty()) continue;
    if (std::exchange(any, true)) std::cout << "\n";
    text_table_of(fetched.list,
                  {.wide = query.output.form == OutputForm::kWide,
                   .with_namespace = query.show_namespace,
                   .name_prefix = queries.size() > 1 ? query.kind.qualified_singular() + "/" : ""})
        .print(std::cout);
  }
  if (!any && errors.empty()) {
    const std::string& ns = queries.front().ns;
    std::cerr << (ns.empty() ? "No resources found.\n"
                             : fmt::format("No resources found in namespace {}.\n", ns));
  }
  return report_all(errors);
}

Result<int> print_once(ApiClient& api, const std::vector<Query>& queries, std::string& version) {
  const Query& first = queries.front();
  if (first.output.is_table()) return print_tables(api, queries, version);
  std::vector<ObjectsOfKind> found;
  std::vector<Error> errors;
  for (const Query& query : queries) {
    Fetched fetched = fetch(api, query, kAcceptJson);
    errors.insert(errors.end(), fetched.errors.begin(), fetched.errors.end());
    version = base::string_at(fetched.list, {"metadata", "resourceVersion"});
    if (fetched.list.is_null()) continue;
    found.push_back({query.kind, {}});
    for (Json& item : fetched.list["items"]) found.back().objects.push_back(std::move(item));
  }
  const bool as_list = queries.size() != 1 || first.names.size() != 1;
  if (!found.empty()) HEARTH_CHECK_OK(print_objects(first.output, std::move(found), as_list));
  return report_all(errors);
}

// One line an event: a row of the table, or the object as JSON.
class WatchPrinter {
 public:
  explicit WatchPrinter(const Query& query) : query_(query) {}

  bool print(std::string_view line) {
    const auto event = base::parse_json(line);
    if (!event) return true;
    const std::string type = base::string_at(*event, {"type"});
    if (type == "BOOKMARK" || type == "ERROR") return type != "ERROR";
    const Json& object = (*event)["object"];
    if (query_.output.is_table())
      print_rows(object);
    else if (is_wanted(object))
      print_object(object);
    std::cout.flush();
    return std::cout.good();
  }

 private:
  bool is_wanted(const Json& object) const {
    return query_.names.empty() ||
           std::ranges::find(query_.names, resource::name_of(object)) != query_.names.end();
  }

  void print_rows(const Json& table) {
    if (const Json* definitions = base::find(table, {"columnDefinitions"});
        definitions != nullptr && definitions->is_array()) {
      shown_ = shown_columns(*definitions, query_.output.form == OutputForm::kWide);
    }
    for (const Json& row : table["rows"]) {
      if (!is_wanted(row["object"])) continue;
      std::string line;
      if (query_.show_namespace) line += base::string_at(row, {"object", "metadata", "namespace"});
      for (const std::size_t i : shown_) {
        line += (line.empty() ? "" : "   ") + cell_text(row["cells"][i]);
      }
      std::cout << line << "\n";
    }
  }

  void print_object(const Json& object) const {
    if (query_.output.form == OutputForm::kJson)
      std::cout << base::dump_json(object) << "\n";
    else  // an object to which a jsonpath doesn't apply prints nothing; the next ones may
      (void)print_objects(query_.output, {{query_.kind, {object}}}, false);
  }

  const Query& query_;
  std::vector<std::size_t> shown_;
};

Result<std::vector<ObjectWords>> objects_of(const GetFlags& flags) {
  std::vector<std::string> words{flags.type};
  words.insert(words.end(), flags.names.begin(), flags.names.end());
  return parse_object_words(words);
}

Result<std::vector<Query>> queries_from(const GetFlags& flags, const Kinds& kinds) {
  HEARTH_TRY(output, Output::parse(flags.output));
  HEARTH_TRY(objects, objects_of(flags));
  HEARTH_TRY(asked_kinds, kinds_of(std::move(objects), kinds));
  std::vector<Query> out;
  for (KindWords& asked : asked_kinds) {
    const Kind& kind = asked.kind;
    const bool everywhere = flags.all_namespaces || !kind.type.namespaced;
    out.push_back({.kind = kind,
                   .ns = everywhere ? "" : flags.target.ns,
                   .names = std::move(asked.names),
                   .selector = flags.selector,
                   .output = output,
                   .show_namespace = flags.all_namespaces && kind.type.namespaced});
  }
  return out;
}

Result<int> run(const GetFlags& flags) {
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  ApiClient api(std::move(daemon));
  HEARTH_TRY(kinds, Kinds::load(api));
  HEARTH_TRY(queries, queries_from(flags, kinds));
  std::string resource_version;
  HEARTH_TRY(code, print_once(api, queries, resource_version));
  if (!flags.watch || code != kOk) return code;
  std::cout.flush();
  const Query& query = queries.front();
  if (resource_version.empty()) {
    HEARTH_TRY(list, api.get(list_target(query)));
    resource_version = base::string_at(list, {"metadata", "resourceVersion"});
  }
  WatchPrinter printer(query);
  HEARTH_CHECK_OK(api.stream(list_target(query, resource_version),
                             query.output.is_table() ? kAcceptTable : kAcceptJson,
                             [&](std::string_view line) { return printer.print(line); }));
  return kOk;
}

// What needs no daemon to be known as wrong.
void check_usage(const GetFlags& flags) {
  const auto objects = objects_of(flags);
  if (!objects) throw CLI::ValidationError(objects.error().message);
  const bool named = !objects->front().names.empty();
  if (flags.all_namespaces && named) {
    throw CLI::ValidationError("-A", "a name is unique only within a namespace; use -n NS");
  }
  if (!flags.selector.empty() && named) {
    throw CLI::ValidationError("-l", "a name cannot be provided when a selector is specified");
  }
  if (flags.watch && objects->size() > 1) {
    throw CLI::ValidationError("-w", "only one type can be watched at a time");
  }
}

}  // namespace

void register_get(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<GetFlags>();
  CLI::App* get = app.add_subcommand("get", "Show objects");
  get->add_option("type", flags->type, "Kind by any of its names: functions, lf, pods, ksvc, …")
      ->required()
      ->type_name("TYPE[,TYPE…] | TYPE/NAME");
  get->add_option("name", flags->names, "Names of objects, or more of TYPE/NAME")
      ->type_name("NAME");
  get->add_flag("-A,--all-namespaces", flags->all_namespaces, "All namespaces");
  get->add_option("-l,--selector", flags->selector, "Labels: a=b,c!=d")->type_name("LABELS");
  get->add_option("-o,--output", flags->output, "table, wide, json, yaml, name or jsonpath=…")
      ->check(check_output);
  get->add_flag("-w,--watch", flags->watch, "Go on with every change");
  add_target_flags(*get, flags->target);
  get->footer(
      "Examples:\n"
      "  hearth get functions\n"
      "  hearth get lf hello-python -o yaml\n"
      "  hearth get ksvc,triggers\n"
      "  hearth get pods -A -l lambda.knative.io/name=hello-python -w\n"
      "  hearth get lf hello-python -o jsonpath={.status.phase}");
  get->callback([flags, &exit_code] {
    check_usage(*flags);
    const auto code = run(*flags);
    exit_code = code ? *code : report(code.error());
  });
}

}  // namespace hearth::cli
