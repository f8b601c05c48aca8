// What `hearth event` and `hearth dlq` share: they list and show what the broker keeps.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/api_client.h"
#include "cli/state_location.h"

namespace CLI {
class App;
}

namespace hearth::cli {

struct RecordFlags {
  Target target;
  std::string output;
  int limit = 100;
  bool all_namespaces = false;

  // For the query: empty means every namespace.
  std::string ns() const { return all_namespaces ? "" : target.ns; }
};

// --limit, -A, -o, -n and --state.
void add_record_list_flags(CLI::App& command, RecordFlags& flags);
// -o and --state.
void add_record_flags(CLI::App& command, RecordFlags& flags);

// The client of the daemon that the flags name.
Result<ApiClient> connect(const Target& target);
// One record of the `kind`, as YAML unless -o says json.
Status show_record(const RecordFlags& flags, const std::string& path, std::string_view kind);

struct RecordTable {
  std::string_view kind;  // of the list: "EventList"
  std::vector<std::string> header;
  std::function<std::vector<std::string>(const Json& record)> row;
  std::string none;  // says on standard error that there are no records
};
// What the broker lists at `path`: as this table, or in the form that -o names.
Status list_records(const RecordFlags& flags, const std::string& path, RecordTable columns);

}  // namespace hearth::cli
