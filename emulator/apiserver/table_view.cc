#include "emulator/apiserver/table_view.h"

#include "emulator/apiserver/built_in_columns.h"
#include "emulator/apiserver/json_path.h"

namespace hearth::apiserver {

using resource::Definition;
using resource::ObjectPtr;
using resource::PrinterColumn;

namespace {

Json custom_cell(const PrinterColumn& column, const Json& object, base::WallTime now) {
  const Json* value = evaluate_json_path(object, column.json_path);
  if (value == nullptr) return nullptr;
  if (column.type == "date") {
    return value->is_string() ? Json(age_of(value->get<std::string>(), now)) : Json();
  }
  if (column.type == "string" && !value->is_string()) return base::dump_json(*value);
  return *value;
}

Json column_json(const PrinterColumn& column, std::string_view format = "") {
  return {{"name", column.name},
          {"type", column.type == "date" ? "string" : column.type},
          {"format", format},
          {"description", column.description},
          {"priority", column.priority}};
}

}  // namespace

Json table_columns(const Definition& definition) {
  Json out = Json::array({column_json({"Name", "string", "", 0, "Name of the object"}, "name")});
  if (definition.is_custom) {
    for (const PrinterColumn& column : definition.columns) out.push_back(column_json(column));
  } else {
    for (const auto& entry : built_in_columns(definition)) out.push_back(column_json(entry.column));
  }
  return out;
}

Json table_row(const Definition& definition, const ObjectPtr& object, IncludeObject include,
               base::WallTime now) {
  Json cells = Json::array({resource::name_of(*object)});
  if (definition.is_custom) {
    for (const PrinterColumn& column : definition.columns) {
      cells.push_back(custom_cell(column, *object, now));
    }
  } else {
    for (const auto& entry : built_in_columns(definition))
      cells.push_back(entry.cell(*object, now));
  }
  Json row{{"cells", std::move(cells)}};
  if (include == IncludeObject::kObject) row["object"] = *object;
  if (include == IncludeObject::kMetadata) {
    row["object"] = {{"kind", "PartialObjectMetadata"},
                     {"apiVersion", "meta.k8s.io/v1"},
                     {"metadata", (*object)["metadata"]}};
  }
  return row;
}

Json table_of(const Definition& definition, const std::vector<ObjectPtr>& objects,
              IncludeObject include, base::WallTime now) {
  Json rows = Json::array();
  for (const ObjectPtr& object : objects) {
    rows.push_back(table_row(definition, object, include, now));
  }
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/v1"},
          {"metadata", Json::object()},
          {"columnDefinitions", table_columns(definition)},
          {"rows", std::move(rows)}};
}

}  // namespace hearth::apiserver
