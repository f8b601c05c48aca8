#include "emulator/apiserver/table_view.h"

#include <functional>
#include <map>

#include <fmt/format.h>

#include "emulator/apiserver/json_path.h"
#include "platform/base/text.h"

namespace hearth::apiserver {

using base::string_at;
using resource::Definition;
using resource::ObjectPtr;
using resource::PrinterColumn;

namespace {

using Cell = std::function<Json(const Json& object, base::WallTime now)>;
struct BuiltInColumn {
  PrinterColumn column;
  Cell cell;
};

std::string age_of(const std::string& timestamp, base::WallTime now) {
  const auto time = base::parse_rfc3339(timestamp);
  if (!time) return "<unknown>";
  return base::human_duration(std::chrono::duration_cast<std::chrono::seconds>(now - *time));
}

Json age_cell(const Json& object, base::WallTime now) {
  return age_of(string_at(object, {"metadata", "creationTimestamp"}), now);
}

BuiltInColumn age() { return {{"Age", "string", "", 0, "Age of the object"}, age_cell}; }

BuiltInColumn text(std::string name, std::vector<std::string> path, int priority = 0) {
  return {{std::move(name), "string", "", priority, ""},
          [path = std::move(path)](const Json& object, base::WallTime) -> Json {
            const Json* at = &object;
            for (const std::string& step : path) {
              at = at == nullptr ? nullptr : base::find(*at, {step});
            }
            if (at == nullptr || at->is_null()) return "<none>";
            return at->is_string() ? *at : Json(at->dump());
          }};
}

std::size_t size_at(const Json& object, const char* field) {
  const Json* at = base::find(object, {field});
  return at != nullptr && at->is_object() ? at->size() : 0;
}

BuiltInColumn data_count() {
  return {{"Data", "integer", "", 0, ""}, [](const Json& object, base::WallTime) -> Json {
            return size_at(object, "data") + size_at(object, "binaryData");
          }};
}

std::string ports_text(const Json& object) {
  const Json* ports = base::find(object, {"spec", "ports"});
  if (ports == nullptr || !ports->is_array() || ports->empty()) return "<none>";
  std::vector<std::string> out;
  for (const Json& port : *ports) {
    out.push_back(fmt::format("{}/{}", base::int_at(port, {"port"}).value_or(0),
                              string_at(port, {"protocol"}, "TCP")));
  }
  return base::join(out, ",");
}

const Json* container_statuses(const Json& pod) {
  const Json* list = base::find(pod, {"status", "containerStatuses"});
  return list != nullptr && list->is_array() ? list : nullptr;
}

Json pod_ready(const Json& pod, base::WallTime) {
  std::size_t total = 0;
  std::size_t ready = 0;
  if (const Json* containers = base::find(pod, {"spec", "containers"})) total = containers->size();
  if (const Json* statuses = container_statuses(pod)) {
    for (const Json& status : *statuses)
      ready += base::bool_at(status, {"ready"}).value_or(false) ? 1 : 0;
  }
  return fmt::format("{}/{}", ready, total);
}

Json pod_status(const Json& pod, base::WallTime) {
  if (resource::is_being_deleted(pod)) return "Terminating";
  std::string text = string_at(pod, {"status", "phase"}, "Unknown");
  if (const std::string reason = string_at(pod, {"status", "reason"}); !reason.empty())
    text = reason;
  if (const Json* statuses = container_statuses(pod)) {
    for (const Json& status : *statuses) {
      if (const auto waiting = string_at(status, {"state", "waiting", "reason"});
          !waiting.empty()) {
        text = waiting;
      }
      if (const auto ended = string_at(status, {"state", "terminated", "reason"}); !ended.empty()) {
        text = ended;
      }
    }
  }
  return text;
}

Json pod_restarts(const Json& pod, base::WallTime) {
  std::int64_t restarts = 0;
  if (const Json* statuses = container_statuses(pod)) {
    for (const Json& status : *statuses) {
      restarts += base::int_at(status, {"restartCount"}).value_or(0);
    }
  }
  return restarts;
}

Json job_completions(const Json& job, base::WallTime) {
  return fmt::format("{}/{}", base::int_at(job, {"status", "succeeded"}).value_or(0),
                     base::int_at(job, {"spec", "completions"}).value_or(1));
}

std::string condition_status(const Json& object, const char* type) {
  const Json* list = base::find(object, {"status", "conditions"});
  if (list == nullptr || !list->is_array()) return {};
  for (const Json& condition : *list) {
    if (string_at(condition, {"type"}) == type) return string_at(condition, {"status"});
  }
  return {};
}

Json job_status(const Json& job, base::WallTime) {
  if (condition_status(job, "Complete") == "True") return "Complete";
  if (condition_status(job, "Failed") == "True") return "Failed";
  return "Running";
}

Json job_duration(const Json& job, base::WallTime now) {
  const auto start = base::parse_rfc3339(string_at(job, {"status", "startTime"}));
  if (!start) return "";
  const auto end = base::parse_rfc3339(string_at(job, {"status", "completionTime"})).value_or(now);
  return base::human_duration(std::chrono::duration_cast<std::chrono::seconds>(end - *start));
}

Json event_last_seen(const Json& event, base::WallTime now) {
  std::string at = string_at(event, {"lastTimestamp"});
  if (at.empty()) at = string_at(event, {"eventTime"});
  if (at.empty()) at = string_at(event, {"metadata", "creationTimestamp"});
  return age_of(at, now);
}

Json event_object(const Json& event, base::WallTime) {
  return base::lower(string_at(event, {"involvedObject", "kind"})) + "/" +
         string_at(event, {"involvedObject", "name"});
}

Json deployment_ready(const Json& object, base::WallTime) {
  return fmt::format("{}/{}", base::int_at(object, {"status", "readyReplicas"}).value_or(0),
                     base::int_at(object, {"spec", "replicas"}).value_or(1));
}

Json service_external(const Json&, base::WallTime) { return "<none>"; }
Json service_ports(const Json& object, base::WallTime) { return ports_text(object); }
Json created_at(const Json& object, base::WallTime) {
  return string_at(object, {"metadata", "creationTimestamp"});
}

BuiltInColumn computed(const char* name, Cell cell, const char* type = "string") {
  return {{name, type, "", 0, ""}, std::move(cell)};
}

std::map<std::string, std::vector<BuiltInColumn>> built_in_columns() {
  std::map<std::string, std::vector<BuiltInColumn>> out;
  out["namespaces"] = {text("Status", {"status", "phase"}), age()};
  out["configmaps"] = {data_count(), age()};
  out["secrets"] = {text("Type", {"type"}), data_count(), age()};
  out["services"] = {text("Type", {"spec", "type"}), text("Cluster-IP", {"spec", "clusterIP"}),
                     computed("External-IP", service_external), computed("Port(s)", service_ports),
                     age()};
  out["pods"] = {computed("Ready", pod_ready),
                 computed("Status", pod_status),
                 computed("Restarts", pod_restarts, "integer"),
                 age(),
                 text("IP", {"status", "podIP"}, 1),
                 text("Node", {"spec", "nodeName"}, 1)};
  out["events"] = {computed("Last Seen", event_last_seen), text("Type", {"type"}),
                   text("Reason", {"reason"}), computed("Object", event_object),
                   text("Message", {"message"})};
  out["nodes"] = {computed("Status",
                           [](const Json& o, base::WallTime) -> Json {
                             return condition_status(o, "Ready") == "True" ? "Ready" : "NotReady";
                           }),
                  computed("Roles", service_external), age(),
                  text("Version", {"status", "nodeInfo", "kubeletVersion"})};
  out["jobs.batch"] = {computed("Status", job_status), computed("Completions", job_completions),
                       computed("Duration", job_duration), age()};
  out["deployments.apps"] = {computed("Ready", deployment_ready),
                             text("Up-to-date", {"status", "updatedReplicas"}),
                             text("Available", {"status", "availableReplicas"}), age()};
  out["leases.coordination.k8s.io"] = {text("Holder", {"spec", "holderIdentity"}), age()};
  out["customresourcedefinitions.apiextensions.k8s.io"] = {computed("Created At", created_at)};
  return out;
}

const std::vector<BuiltInColumn>& columns_of(const Definition& definition) {
  static const auto kColumns = built_in_columns();
  static const std::vector<BuiltInColumn> kOnlyAge{age()};
  const auto it = kColumns.find(definition.resource_name());
  return it == kColumns.end() ? kOnlyAge : it->second;
}

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
    for (const auto& entry : columns_of(definition)) out.push_back(column_json(entry.column));
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
    for (const auto& entry : columns_of(definition)) cells.push_back(entry.cell(*object, now));
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
