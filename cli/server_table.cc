#include "cli/server_table.h"

#include "platform/base/printable.h"

namespace hearth::cli {
namespace {

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
  return text;
}

bool is_name(const Json& definition) { return base::string_at(definition, {"format"}) == "name"; }

std::vector<std::string> header_of(const Json& definitions, const std::vector<std::size_t>& shown,
                                   const TableStyle& style) {
  std::vector<std::string> header;
  if (style.with_namespace) header.emplace_back("NAMESPACE");
  for (const std::size_t i : shown) {
    header.push_back(upper(base::string_at(definitions[i], {"name"})));
  }
  return header;
}

std::vector<std::string> cells_of(const Json& row, const Json& definitions,
                                  const std::vector<std::size_t>& shown, const TableStyle& style) {
  std::vector<std::string> cells;
  if (style.with_namespace) {
    cells.push_back(base::string_at(row, {"object", "metadata", "namespace"}));
  }
  for (const std::size_t i : shown) {
    const std::string text = i < row["cells"].size() ? cell_text(row["cells"][i]) : "";
    cells.push_back(is_name(definitions[i]) ? style.name_prefix + text : text);
  }
  return cells;
}

}  // namespace

std::string cell_text(const Json& cell) {
  if (cell.is_null()) return "<none>";
  return base::printable(cell.is_string() ? cell.get<std::string>() : base::dump_json(cell));
}

std::vector<std::size_t> shown_columns(const Json& definitions, bool wide) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < definitions.size(); ++i) {
    if (wide || base::int_at(definitions[i], {"priority"}).value_or(0) == 0) out.push_back(i);
  }
  return out;
}

TextTable text_table_of(const Json& table, const TableStyle& style) {
  const Json& definitions = table["columnDefinitions"];
  const auto shown = shown_columns(definitions, style.wide);
  TextTable text(header_of(definitions, shown, style));
  for (const Json& row : table["rows"]) text.add(cells_of(row, definitions, shown, style));
  return text;
}

}  // namespace hearth::cli
