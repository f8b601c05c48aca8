// -o: how data is printed on standard output.
#pragma once

#include <string>
#include <vector>

#include "cli/kinds.h"
#include "platform/base/json.h"

namespace CLI {
class App;
}

namespace hearth::cli {

enum class OutputForm { kTable, kWide, kJson, kYaml, kName, kJsonPath };

struct Output {
  OutputForm form = OutputForm::kTable;
  std::string json_path;

  // "table", "wide", "json", "yaml", "name", "jsonpath=…"; kBadRequest otherwise.
  static Result<Output> parse(const std::string& text);
  bool is_table() const { return form == OutputForm::kTable || form == OutputForm::kWide; }
};

// -o with table (the default), json and yaml: for what is no object of the API.
void add_output_flag(CLI::App& command, std::string& output);

// JSON, YAML or a jsonpath of any value.
Status print_value(const Output& output, const Json& value);
struct ObjectsOfKind {
  Kind kind;
  std::vector<Json> objects;
};
// Not a table. Several objects are one List, as kubectl prints them.
Status print_objects(const Output& output, std::vector<ObjectsOfKind> found, bool as_list);

}  // namespace hearth::cli
