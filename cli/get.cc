// hearth get: one object, some or all of a kind, once or as they change.
#include <algorithm>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/exit_code.h"
#include "cli/flag_values.h"
#include "cli/output.h"
#include "cli/state_location.h"
#include "cli/text_table.h"
#include "platform/base/text.h"

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

std::string cell_text(const Json& cell) {
  if (cell.is_null()) return "<none>";
  return cell.is_string() ? cell.get<std::string>() : base::dump_json(cell);
}

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return text;
}

// Which cells of the server's table are shown.
std::vector<std::size_t> shown_columns(const Json& definitions, bool wide) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < definitions.size(); ++i) {
    if (wide || base::int_at(definitions[i], {"priority"}).value_or(0) == 0) out.push_back(i);
  }
  return out;
}

std::vector<std::string> header_of(const Json& definitions, const std::vector<std::size_t>& shown,
                                   bool with_namespace) {
  std::vector<std::string> header;
  if (with_namespace) header.emplace_back("NAMESPACE");
  for (const std::size_t i : shown) {
    header.push_back(upper(base::string_at(definitions[i], {"name"})));
  }
  return header;
}

void add_rows(TextTable& table, const Json& rows, const std::vector<std::size_t>& shown,
              bool with_namespace) {
  for (const Json& row : rows) {
    std::vector<std::string> cells;
    if (with_namespace) cells.push_back(base::string_at(row, {"object", "metadata", "namespace"}));
    for (const std::size_t i : shown) {
      cells.push_back(i < row["cells"].size() ? cell_text(row["cells"][i]) : "");
    }
    table.add(std::move(cells));
  }
}

std::string list_target(const Query& query, std::string resource_version = {}) {
  return path_of(query.kind.type, query.ns) +
         query_of({{"labelSelector", query.selector},
                   {"watch", resource_version.empty() ? "" : "true"},
                   {"resourceVersion", resource_version}});
}

// What was asked for: the objects of the names, or the list.
Result<Json> fetch(ApiClient& api, const Query& query, std::string_view accept) {
  if (query.names.empty()) return api.get(list_target(query), accept);
  Json all;
  for (const std::string& name : query.names) {
    auto one = api.get(path_of(query.kind.type, query.ns, name), accept);
    if (!one) return fail(with_near_miss(one.error(), api, query.kind, query.ns, name));
    if (accept == kAcceptJson) {
      all["items"].push_back(std::move(*one));
    } else if (all.is_null()) {
      all = std::move(*one);
    } else {
      for (Json& row : (*one)["rows"]) all["rows"].push_back(std::move(row));
    }
  }
  return all;
}

Status print_table(ApiClient& api, const Query& query, std::string& resource_version) {
  HEARTH_TRY(table, fetch(api, query, kAcceptTable));
  resource_version = base::string_at(table, {"metadata", "resourceVersion"});
  const Json* rows = base::find(table, {"rows"});
  if (rows == nullptr || rows->empty()) {
    std::cerr << (query.ns.empty()
                      ? "No resources found.\n"
                      : fmt::format("No resources found in namespace {}.\n", query.ns));
    return {};
  }
  const Json& definitions = table["columnDefinitions"];
  const auto shown = shown_columns(definitions, query.output.form == OutputForm::kWide);
  TextTable text(header_of(definitions, shown, query.show_namespace));
  add_rows(text, *rows, shown, query.show_namespace);
  text.print(std::cout);
  return {};
}

Status print_once(ApiClient& api, const Query& query, std::string& resource_version) {
  if (query.output.is_table()) return print_table(api, query, resource_version);
  HEARTH_TRY(list, fetch(api, query, kAcceptJson));
  resource_version = base::string_at(list, {"metadata", "resourceVersion"});
  std::vector<Json> items;
  for (Json& item : list["items"]) items.push_back(std::move(item));
  return print_objects(query.output, query.kind, std::move(items), query.names.size() != 1);
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
    return true;
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
      (void)print_objects(query_.output, query_.kind, {object}, false);
  }

  const Query& query_;
  std::vector<std::size_t> shown_;
};

Result<Query> query_from(const GetFlags& flags, const Kinds& kinds) {
  std::string type = flags.type;
  std::vector<std::string> names = flags.names;
  if (const auto slash = type.find('/'); slash != type.npos) {  // function/hello
    names.insert(names.begin(), type.substr(slash + 1));
    type.erase(slash);
  }
  HEARTH_TRY(kind, kinds.find(type));
  HEARTH_TRY(output, Output::parse(flags.output));
  const bool everywhere = flags.all_namespaces || !kind.type.namespaced;
  return Query{.kind = kind,
               .ns = everywhere ? "" : flags.target.ns,
               .names = std::move(names),
               .selector = flags.selector,
               .output = output,
               .show_namespace = flags.all_namespaces && kind.type.namespaced};
}

Status run(const GetFlags& flags) {
  HEARTH_TRY(daemon, find_daemon(flags.target.state_folder()));
  ApiClient api(std::move(daemon));
  HEARTH_TRY(kinds, Kinds::load(api));
  HEARTH_TRY(query, query_from(flags, kinds));
  std::string resource_version;
  HEARTH_CHECK_OK(print_once(api, query, resource_version));
  if (!flags.watch) return {};
  std::cout.flush();
  if (resource_version.empty()) {
    HEARTH_TRY(list, api.get(list_target(query)));
    resource_version = base::string_at(list, {"metadata", "resourceVersion"});
  }
  WatchPrinter printer(query);
  return api.stream(list_target(query, resource_version),
                    query.output.is_table() ? kAcceptTable : kAcceptJson,
                    [&](std::string_view line) { return printer.print(line); });
}

}  // namespace

void register_get(CLI::App& app, int& exit_code) {
  auto flags = std::make_shared<GetFlags>();
  CLI::App* get = app.add_subcommand("get", "Show objects");
  get->add_option("type", flags->type, "Kind by any of its names: functions, lf, pods, ksvc, …")
      ->required()
      ->type_name("TYPE[/NAME]");
  get->add_option("name", flags->names, "Names of objects")->type_name("NAME");
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
      "  hearth get pods -A -l lambda.knative.io/name=hello-python -w\n"
      "  hearth get lf hello-python -o jsonpath={.status.phase}");
  get->callback([flags, &exit_code] {
    if (flags->all_namespaces && (!flags->names.empty() || flags->type.contains('/'))) {
      throw CLI::ValidationError("-A", "a name is unique only within a namespace; use -n NS");
    }
    exit_code = finish(run(*flags));
  });
}

}  // namespace hearth::cli
