#include "cli/broker_records.h"

#include <iostream>

#include <CLI/CLI.hpp>

#include "cli/output.h"
#include "cli/standard_output.h"
#include "cli/text_table.h"
#include "platform/base/yaml.h"

namespace hearth::cli {
namespace {

// Programs that read our output can tell its form by these, as they do with Kubernetes' objects.
Json versioned(Json record, std::string_view kind) {
  record["apiVersion"] = "hearth/v1";
  record["kind"] = kind;
  return record;
}

}  // namespace

void add_record_flags(CLI::App& command, RecordFlags& flags) {
  add_output_flag(command, flags.output);
  add_state_flag(command, flags.target);
}

void add_record_list_flags(CLI::App& command, RecordFlags& flags) {
  command.add_option("--limit", flags.limit, "At most this many")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_flag("-A,--all-namespaces", flags.all_namespaces, "All namespaces");
  add_namespace_flag(command, flags.target);
  add_record_flags(command, flags);
}

Result<ApiClient> connect(const Target& target) {
  HEARTH_TRY(daemon, find_daemon(target.state_folder()));
  return ApiClient(std::move(daemon));
}

Status show_record(const RecordFlags& flags, const std::string& path, std::string_view kind) {
  HEARTH_TRY(api, connect(flags.target));
  HEARTH_TRY(record, api.administer("GET", path));
  const Json shown = versioned(std::move(record), kind);
  if (flags.output.empty() || flags.output == "table") {
    std::cout << for_standard_output(base::dump_yaml(shown));
    return {};
  }
  HEARTH_TRY(output, Output::parse(flags.output));
  return print_value(output, shown);
}

Status list_records(const RecordFlags& flags, const std::string& path, RecordTable columns) {
  HEARTH_TRY(api, connect(flags.target));
  HEARTH_TRY(records, api.administer("GET", path));
  HEARTH_TRY(output, Output::parse(flags.output));
  if (!output.is_table()) return print_value(output, versioned(std::move(records), columns.kind));
  TextTable table(std::move(columns.header));
  for (const Json& record : records["items"]) table.add(columns.row(record));
  if (table.has_rows())
    table.print(std::cout);
  else
    std::cerr << columns.none << "\n";
  return {};
}

}  // namespace hearth::cli
