#include "emulator/apiserver/built_in_columns.h"

#include <map>

#include <fmt/format.h>

#include "platform/base/text.h"

namespace hearth::apiserver {

using base::int_at;
using base::string_at;

namespace {

constexpr int kWide = 1;
constexpr const char* kNone = "<none>";

// The items of a list; none when there is no list.
const Json& items_at(const Json& object, std::initializer_list<std::string_view> path) {
  static const Json kEmpty = Json::array();
  const Json* list = base::find(object, path);
  return list != nullptr && list->is_array() ? *list : kEmpty;
}

Json or_none(std::string text) { return text.empty() ? Json(kNone) : Json(std::move(text)); }

Json age_cell(const Json& object, base::WallTime now) {
  return age_of(string_at(object, {"metadata", "creationTimestamp"}), now);
}

BuiltInColumn age() { return {{"Age", "string", "", 0, "Age of the object"}, age_cell}; }

template <typename F>
BuiltInColumn computed(const char* name, F cell, const char* type = "string", int priority = 0) {
  return {{name, type, "", priority, ""},
          [cell](const Json& object, base::WallTime) -> Json { return cell(object); }};
}

template <typename F>
BuiltInColumn wide(const char* name, F cell) {
  return computed(name, cell, "string", kWide);
}

BuiltInColumn text(std::string name, std::vector<std::string> path, int priority = 0) {
  return {{std::move(name), "string", "", priority, ""},
          [path = std::move(path)](const Json& object, base::WallTime) -> Json {
            const Json* at = &object;
            for (const std::string& step : path) {
              at = at == nullptr ? nullptr : base::find(*at, {step});
            }
            if (at == nullptr || at->is_null()) return kNone;
            return at->is_string() ? *at : Json(at->dump());
          }};
}

BuiltInColumn number(const char* name, std::string_view part, std::string_view field,
                     std::int64_t unset = 0) {
  return computed(
      name, [=](const Json& object) { return int_at(object, {part, field}).value_or(unset); },
      "integer");
}

BuiltInColumn moment(const char* name, std::string_view part, std::string_view field) {
  return {{name, "string", "", 0, ""}, [=](const Json& object, base::WallTime now) -> Json {
            const std::string at = string_at(object, {part, field});
            return at.empty() ? Json(kNone) : Json(age_of(at, now));
          }};
}

std::string selector_text(const Json* selector) {
  if (selector == nullptr || !selector->is_object()) return {};
  const Json* labels = base::find(*selector, {"matchLabels"});
  std::vector<std::string> terms;
  for (const auto& [key, value] : (labels != nullptr ? *labels : *selector).items()) {
    if (value.is_string()) terms.push_back(key + "=" + value.get<std::string>());
  }
  return base::join(terms, ",");
}

Json selector_cell(const Json& object) {
  return or_none(selector_text(base::find(object, {"spec", "selector"})));
}

std::size_t size_at(const Json& object, const char* field) {
  const Json* at = base::find(object, {field});
  return at != nullptr && at->is_structured() ? at->size() : 0;
}

BuiltInColumn data_count() {
  return computed(
      "Data",
      [](const Json& object) { return size_at(object, "data") + size_at(object, "binaryData"); },
      "integer");
}

// One field of each container of a pod template, comma-separated.
template <typename Path>
std::vector<BuiltInColumn> template_columns(Path path) {
  const auto each = [path](const Json& object, std::string_view field) {
    std::vector<std::string> out;
    const Json* spec = path(object);
    if (spec == nullptr) return Json(kNone);
    for (const Json& container : items_at(*spec, {"containers"})) {
      out.push_back(string_at(container, {field}));
    }
    return or_none(base::join(out, ","));
  };
  return {wide("Containers", [each](const Json& object) { return each(object, "name"); }),
          wide("Images", [each](const Json& object) { return each(object, "image"); })};
}

const Json* pod_template(const Json& object) {
  return base::find(object, {"spec", "template", "spec"});
}
const Json* job_template(const Json& object) {
  return base::find(object, {"spec", "jobTemplate", "spec", "template", "spec"});
}

std::string condition_status(const Json& object, const char* type) {
  for (const Json& condition : items_at(object, {"status", "conditions"})) {
    if (string_at(condition, {"type"}) == type) return string_at(condition, {"status"});
  }
  return {};
}

// Services

Json service_ports(const Json& object) {
  std::vector<std::string> out;
  for (const Json& port : items_at(object, {"spec", "ports"})) {
    const auto node = int_at(port, {"nodePort"}).value_or(0);
    out.push_back(fmt::format("{}{}/{}", int_at(port, {"port"}).value_or(0),
                              node > 0 ? fmt::format(":{}", node) : "",
                              string_at(port, {"protocol"}, "TCP")));
  }
  return or_none(base::join(out, ","));
}

Json service_cluster_ip(const Json& object) {
  return or_none(string_at(object, {"spec", "clusterIP"}));
}

Json service_external(const Json& object) {
  const std::string type = string_at(object, {"spec", "type"});
  if (type == "ExternalName") return or_none(string_at(object, {"spec", "externalName"}));
  std::vector<std::string> out;
  for (const Json& ingress : items_at(object, {"status", "loadBalancer", "ingress"})) {
    out.push_back(string_at(ingress, {"ip"}, string_at(ingress, {"hostname"})));
  }
  for (const Json& ip : items_at(object, {"spec", "externalIPs"})) {
    if (ip.is_string()) out.push_back(ip.get<std::string>());
  }
  if (out.empty() && type == "LoadBalancer") return "<pending>";
  return or_none(base::join(out, ","));
}

Json endpoint_list(const Json& object) {
  std::vector<std::string> out;
  for (const Json& subset : items_at(object, {"subsets"})) {
    for (const Json& address : items_at(subset, {"addresses"})) {
      for (const Json& port : items_at(subset, {"ports"})) {
        out.push_back(
            fmt::format("{}:{}", string_at(address, {"ip"}), int_at(port, {"port"}).value_or(0)));
      }
    }
  }
  if (out.size() <= 3) return or_none(base::join(out, ","));
  const std::size_t more = out.size() - 3;
  out.resize(3);
  return fmt::format("{} + {} more...", base::join(out, ","), more);
}

// Pods

Json pod_ready(const Json& pod) {
  std::size_t ready = 0;
  for (const Json& status : items_at(pod, {"status", "containerStatuses"})) {
    ready += base::bool_at(status, {"ready"}).value_or(false) ? 1 : 0;
  }
  return fmt::format("{}/{}", ready, items_at(pod, {"spec", "containers"}).size());
}

std::string terminated_text(const Json& ended) {
  std::string reason = string_at(ended, {"reason"});
  if (!reason.empty()) return reason;
  const auto signal = int_at(ended, {"signal"}).value_or(0);
  return signal != 0 ? fmt::format("Signal:{}", signal)
                     : fmt::format("ExitCode:{}", int_at(ended, {"exitCode"}).value_or(0));
}

Json pod_status(const Json& pod) {
  if (resource::is_being_deleted(pod)) return "Terminating";
  std::string out = string_at(pod, {"status", "reason"});
  // A pod that nothing runs has no status: it waits for a node that won't come.
  if (out.empty()) out = string_at(pod, {"status", "phase"}, "Pending");
  bool running = false;
  for (const Json& status : items_at(pod, {"status", "containerStatuses"})) {
    const std::string waiting = string_at(status, {"state", "waiting", "reason"});
    const Json* ended = base::find(status, {"state", "terminated"});
    if (!waiting.empty())
      out = waiting;
    else if (ended != nullptr)
      out = terminated_text(*ended);
    else
      running = running || base::bool_at(status, {"ready"}).value_or(false);
  }
  if (out == "Completed" && running) {
    return condition_status(pod, "Ready") == "True" ? "Running" : "NotReady";
  }
  return out;
}

Json pod_restarts(const Json& pod) {
  std::int64_t restarts = 0;
  for (const Json& status : items_at(pod, {"status", "containerStatuses"})) {
    restarts += int_at(status, {"restartCount"}).value_or(0);
  }
  return std::to_string(restarts);
}

Json readiness_gates(const Json& pod) {
  const Json& gates = items_at(pod, {"spec", "readinessGates"});
  if (gates.empty()) return kNone;
  std::size_t met = 0;
  for (const Json& gate : gates) {
    met += condition_status(pod, string_at(gate, {"conditionType"}).c_str()) == "True" ? 1 : 0;
  }
  return fmt::format("{}/{}", met, gates.size());
}

// Events

std::string first_of(const Json& event, std::initializer_list<const char*> fields) {
  for (const char* field : fields) {
    if (std::string at = string_at(event, {field}); !at.empty()) return at;
  }
  return string_at(event, {"metadata", "creationTimestamp"});
}

Json event_last_seen(const Json& event, base::WallTime now) {
  return age_of(first_of(event, {"lastTimestamp", "eventTime"}), now);
}

Json event_first_seen(const Json& event, base::WallTime now) {
  return age_of(first_of(event, {"firstTimestamp", "eventTime"}), now);
}

Json event_object(const Json& event) {
  return base::lower(string_at(event, {"involvedObject", "kind"})) + "/" +
         string_at(event, {"involvedObject", "name"});
}

Json event_source(const Json& event) {
  return string_at(event, {"source", "component"}, string_at(event, {"reportingComponent"}));
}

// Workloads

Json deployment_ready(const Json& object) {
  return fmt::format("{}/{}", int_at(object, {"status", "readyReplicas"}).value_or(0),
                     int_at(object, {"spec", "replicas"}).value_or(1));
}

Json job_completions(const Json& job) {
  return fmt::format("{}/{}", int_at(job, {"status", "succeeded"}).value_or(0),
                     int_at(job, {"spec", "completions"}).value_or(1));
}

Json job_status(const Json& job) {
  if (condition_status(job, "Complete") == "True") return "Complete";
  if (condition_status(job, "Failed") == "True") return "Failed";
  if (base::bool_at(job, {"spec", "suspend"}).value_or(false)) return "Suspended";
  return "Running";
}

Json job_duration(const Json& job, base::WallTime now) {
  const auto start = base::parse_rfc3339(string_at(job, {"status", "startTime"}));
  if (!start) return "";
  const auto end = base::parse_rfc3339(string_at(job, {"status", "completionTime"})).value_or(now);
  return base::human_duration(std::chrono::duration_cast<std::chrono::seconds>(end - *start));
}

// Rights

Json role_of_binding(const Json& binding) {
  return string_at(binding, {"roleRef", "kind"}) + "/" + string_at(binding, {"roleRef", "name"});
}

BuiltInColumn subjects(const char* name, const char* kind) {
  return wide(name, [kind](const Json& binding) {
    std::vector<std::string> out;
    for (const Json& subject : items_at(binding, {"subjects"})) {
      if (string_at(subject, {"kind"}) != kind) continue;
      const std::string ns = string_at(subject, {"namespace"});
      out.push_back((ns.empty() ? "" : ns + "/") + string_at(subject, {"name"}));
    }
    return Json(base::join(out, ", "));
  });
}

Json created_at(const Json& object) { return string_at(object, {"metadata", "creationTimestamp"}); }

// Networks

Json ingress_hosts(const Json& ingress) {
  std::vector<std::string> out;
  for (const Json& rule : items_at(ingress, {"spec", "rules"})) {
    out.push_back(string_at(rule, {"host"}, "*"));
  }
  return out.empty() ? Json("*") : Json(base::join(out, ","));
}

Json ingress_ports(const Json& ingress) {
  return items_at(ingress, {"spec", "tls"}).empty() ? "80" : "80, 443";
}

Json policy_selector(const Json& policy) {
  return or_none(selector_text(base::find(policy, {"spec", "podSelector"})));
}

using Columns = std::vector<BuiltInColumn>;

Columns with(Columns columns, Columns more) {
  for (BuiltInColumn& column : more) columns.push_back(std::move(column));
  return columns;
}

void add_core(std::map<std::string, Columns>& out) {
  out["namespaces"] = {text("Status", {"status", "phase"}), age()};
  out["configmaps"] = {data_count(), age()};
  out["secrets"] = {text("Type", {"type"}), data_count(), age()};
  out["services"] = {text("Type", {"spec", "type"}),
                     computed("Cluster-IP", service_cluster_ip),
                     computed("External-IP", service_external),
                     computed("Port(s)", service_ports),
                     age(),
                     wide("Selector", selector_cell)};
  out["endpoints"] = {computed("Endpoints", endpoint_list), age()};
  out["serviceaccounts"] = {
      computed("Secrets", [](const Json& o) { return size_at(o, "secrets"); }, "integer"), age()};
  out["pods"] = {computed("Ready", pod_ready),
                 computed("Status", pod_status),
                 computed("Restarts", pod_restarts),
                 age(),
                 text("IP", {"status", "podIP"}, kWide),
                 text("Node", {"spec", "nodeName"}, kWide),
                 text("Nominated Node", {"status", "nominatedNodeName"}, kWide),
                 wide("Readiness Gates", readiness_gates)};
  out["nodes"] = {computed("Status",
                           [](const Json& node) {
                             return condition_status(node, "Ready") == "True" ? "Ready"
                                                                              : "NotReady";
                           }),
                  computed("Roles", [](const Json&) { return kNone; }), age(),
                  text("Version", {"status", "nodeInfo", "kubeletVersion"})};
}

void add_events(std::map<std::string, Columns>& out) {
  out["events"] = {
      {{"Last Seen", "string", "", 0, ""}, event_last_seen},
      text("Type", {"type"}),
      text("Reason", {"reason"}),
      computed("Object", event_object),
      wide("Subobject",
           [](const Json& e) { return string_at(e, {"involvedObject", "fieldPath"}); }),
      wide("Source", event_source),
      text("Message", {"message"}),
      {{"First Seen", "string", "", kWide, ""}, event_first_seen},
      text("Count", {"count"}, kWide),
      text("Name", {"metadata", "name"}, kWide)};
}

void add_workloads(std::map<std::string, Columns>& out) {
  const Columns containers = template_columns(pod_template);
  const Columns selector{wide("Selector", selector_cell)};
  out["deployments.apps"] = with(
      with({computed("Ready", deployment_ready), number("Up-to-date", "status", "updatedReplicas"),
            number("Available", "status", "availableReplicas"), age()},
           containers),
      selector);
  out["statefulsets.apps"] = with({computed("Ready", deployment_ready), age()}, containers);
  out["replicasets.apps"] =
      with(with({number("Desired", "spec", "replicas", 1), number("Current", "status", "replicas"),
                 number("Ready", "status", "readyReplicas"), age()},
                containers),
           selector);
  out["daemonsets.apps"] = with(with({number("Desired", "status", "desiredNumberScheduled"),
                                      number("Current", "status", "currentNumberScheduled"),
                                      number("Ready", "status", "numberReady"),
                                      number("Up-to-date", "status", "updatedNumberScheduled"),
                                      number("Available", "status", "numberAvailable"), age()},
                                     containers),
                                selector);
  out["jobs.batch"] = with(with({computed("Status", job_status),
                                 computed("Completions", job_completions),
                                 {{"Duration", "string", "", 0, ""}, job_duration},
                                 age()},
                                containers),
                           selector);
  out["cronjobs.batch"] = with(
      {text("Schedule", {"spec", "schedule"}), text("Timezone", {"spec", "timeZone"}),
       computed("Suspend",
                [](const Json& o) {
                  return base::bool_at(o, {"spec", "suspend"}).value_or(false) ? "True" : "False";
                }),
       computed(
           "Active", [](const Json& o) { return items_at(o, {"status", "active"}).size(); },
           "integer"),
       moment("Last Schedule", "status", "lastScheduleTime"), age()},
      template_columns(job_template));
}

void add_others(std::map<std::string, Columns>& out) {
  out["leases.coordination.k8s.io"] = {text("Holder", {"spec", "holderIdentity"}), age()};
  out["customresourcedefinitions.apiextensions.k8s.io"] = {computed("Created At", created_at)};
  for (const char* kind : {"roles", "clusterroles"}) {
    out[std::string(kind) + ".rbac.authorization.k8s.io"] = {computed("Created At", created_at)};
  }
  for (const char* kind : {"rolebindings", "clusterrolebindings"}) {
    out[std::string(kind) + ".rbac.authorization.k8s.io"] = {
        computed("Role", role_of_binding), age(), subjects("Users", "User"),
        subjects("Groups", "Group"), subjects("ServiceAccounts", "ServiceAccount")};
  }
  out["networkpolicies.networking.k8s.io"] = {computed("Pod-Selector", policy_selector), age()};
  out["ingresses.networking.k8s.io"] = {
      text("Class", {"spec", "ingressClassName"}), computed("Hosts", ingress_hosts),
      computed("Address", [](const Json&) { return ""; }), computed("Ports", ingress_ports), age()};
}

std::map<std::string, Columns> all_columns() {
  std::map<std::string, Columns> out;
  add_core(out);
  add_events(out);
  add_workloads(out);
  add_others(out);
  return out;
}

}  // namespace

std::string age_of(const std::string& timestamp, base::WallTime now) {
  const auto time = base::parse_rfc3339(timestamp);
  if (!time) return "<unknown>";
  return base::human_duration(std::chrono::duration_cast<std::chrono::seconds>(now - *time));
}

const std::vector<BuiltInColumn>& built_in_columns(const resource::Definition& definition) {
  static const auto kColumns = all_columns();
  static const Columns kOnlyAge{age()};
  const auto it = kColumns.find(definition.resource_name());
  return it == kColumns.end() ? kOnlyAge : it->second;
}

}  // namespace hearth::apiserver
