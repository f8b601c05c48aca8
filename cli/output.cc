#include "cli/output.h"

#include <array>
#include <iostream>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/json_template.h"
#include "platform/base/yaml.h"

namespace hearth::cli {
namespace {

constexpr std::array<std::pair<std::string_view, OutputForm>, 5> kForms{
    {{"table", OutputForm::kTable},
     {"wide", OutputForm::kWide},
     {"json", OutputForm::kJson},
     {"yaml", OutputForm::kYaml},
     {"name", OutputForm::kName}}};

}  // namespace

Result<Output> Output::parse(const std::string& text) {
  if (text.empty()) return Output{};
  for (const auto& [name, form] : kForms) {
    if (text == name) return Output{form, {}};
  }
  constexpr std::string_view kJsonPathPrefix = "jsonpath=";
  if (text.starts_with(kJsonPathPrefix)) {
    return Output{OutputForm::kJsonPath, text.substr(kJsonPathPrefix.size())};
  }
  return fail(
      Code::kBadRequest,
      fmt::format("unknown output \"{}\": table, wide, json, yaml, name or jsonpath=…", text));
}

void add_output_flag(CLI::App& command, std::string& output) {
  command.add_option("-o,--output", output, "table, json or yaml")
      ->check(CLI::IsMember({"table", "json", "yaml"}));
}

Status print_value(const Output& output, const Json& value) {
  if (output.form == OutputForm::kYaml) {
    std::cout << base::dump_yaml(value);
  } else if (output.form == OutputForm::kJsonPath) {
    HEARTH_TRY(text, render_json_template(output.json_path, value));
    std::cout << text << "\n";
  } else {
    std::cout << base::dump_json_pretty(value) << "\n";
  }
  return {};
}

Status print_objects(const Output& output, std::vector<ObjectsOfKind> found, bool as_list) {
  Json items = Json::array();
  for (ObjectsOfKind& part : found) {
    for (Json& object : part.objects) {
      if (output.form == OutputForm::kName) {
        std::cout << part.kind.qualified_singular() << "/" << resource::name_of(object) << "\n";
        continue;
      }
      // The items of a list say their kind only when they stand alone.
      object["apiVersion"] = part.kind.type.api_version();
      object["kind"] = part.kind.type.kind;
      if (auto& metadata = object["metadata"]; metadata.is_object()) {
        metadata.erase("managedFields");
      }
      items.push_back(std::move(object));
    }
  }
  if (output.form == OutputForm::kName) return {};
  if (!as_list && items.size() == 1) return print_value(output, items.front());
  return print_value(output, {{"apiVersion", "v1"},
                              {"kind", "List"},
                              {"metadata", {{"resourceVersion", ""}}},
                              {"items", std::move(items)}});
}

}  // namespace hearth::cli
