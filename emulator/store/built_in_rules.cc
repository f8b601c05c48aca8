#include "emulator/store/built_in_rules.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "platform/resource/object.h"
#include "platform/resource/schema.h"
#include "platform/resource/well_known.h"

namespace hearth::store {

using base::string_at;

namespace {

constexpr const char* kNotRun = "workloads of this kind are stored here, nothing runs them";

void fill(Json& object, const char* field, Json value) {
  if (!object.contains(field) || object[field].is_null()) object[field] = std::move(value);
}

Json* spec_of(Json& object) {
  const auto spec = object.find("spec");
  return spec != object.end() && spec->is_object() ? &*spec : nullptr;
}

// Collects what is wrong with one object.
class Problems {
 public:
  Problems(const char* kind, const Json& object) : kind_(kind), object_(object) {}

  void required(std::string path, std::string_view why = {}) {
    errors_.push_back({std::move(path), "FieldValueRequired",
                       why.empty() ? "Required value" : fmt::format("Required value: {}", why)});
  }
  void invalid(std::string path, const Json& value, std::string_view why) {
    errors_.push_back({std::move(path), "FieldValueInvalid",
                       fmt::format("Invalid value: {}: {}", base::dump_json(value), why)});
  }
  void unsupported(std::string path, const Json& value, std::string_view supported) {
    errors_.push_back({std::move(path), "FieldValueNotSupported",
                       fmt::format("Unsupported value: {}: supported values: {}",
                                   base::dump_json(value), supported)});
  }
  Status result() {
    if (errors_.empty()) return {};
    return fail(resource::invalid_object(kind_, resource::name_of(object_), std::move(errors_)));
  }

 private:
  const char* kind_;
  const Json& object_;
  std::vector<FieldError> errors_;
};

bool is_non_empty_list(const Json* value) {
  return value != nullptr && value->is_array() && !value->empty();
}

// What was stored before there were these rules may still be labelled and deleted.
bool is_unchanged(const Json& object, const Json* old) {
  const Json* before = old == nullptr ? nullptr : base::find(*old, {"spec"});
  const Json* now = base::find(object, {"spec"});
  return before != nullptr && now != nullptr && *before == *now;
}

// `pod_spec` may be null.
void check_containers(const Json* pod_spec, const std::string& path, Problems& problems) {
  const Json* containers = pod_spec == nullptr ? nullptr : base::find(*pod_spec, {"containers"});
  if (!is_non_empty_list(containers)) {
    problems.required(path + ".containers");
    return;
  }
  for (std::size_t i = 0; i < containers->size(); ++i) {
    const std::string at = fmt::format("{}.containers[{}]", path, i);
    for (const char* field : {"name", "image"}) {
      if (string_at((*containers)[i], {field}).empty()) problems.required(at + "." + field);
    }
  }
}

bool selects(const Json& match_labels, const Json* labels) {
  if (!match_labels.is_object()) return true;
  return std::ranges::all_of(match_labels.items(), [&](const auto& wanted) {
    return labels != nullptr && labels->is_object() && labels->contains(wanted.key()) &&
           (*labels)[wanted.key()] == wanted.value();
  });
}

// Of kinds that make Pods: Deployments, ReplicaSets, StatefulSets, DaemonSets.
Status check_workload(const char* kind, const Json& object, const Json* old) {
  if (is_unchanged(object, old)) return {};
  Problems problems(kind, object);
  const Json* selector = base::find(object, {"spec", "selector"});
  if (selector == nullptr || selector->empty()) problems.required("spec.selector");
  const Json* template_spec = base::find(object, {"spec", "template", "spec"});
  check_containers(template_spec, "spec.template.spec", problems);
  const Json* wanted = base::find(object, {"spec", "selector", "matchLabels"});
  const Json* labels = base::find(object, {"spec", "template", "metadata", "labels"});
  if (wanted != nullptr && !selects(*wanted, labels)) {
    problems.invalid("spec.template.metadata.labels", labels == nullptr ? Json::object() : *labels,
                     "`selector` does not match template `labels`");
  }
  return problems.result();
}

Status check_service(const Json& object, const Json* old) {
  if (is_unchanged(object, old)) return {};
  Problems problems("Service", object);
  const Json* ports = base::find(object, {"spec", "ports"});
  // Kubernetes: those that have a name instead of ports, or whose clients ask the DNS.
  const bool needs_ports = string_at(object, {"spec", "type"}) != "ExternalName" &&
                           string_at(object, {"spec", "clusterIP"}) != "None";
  if (needs_ports && !is_non_empty_list(ports)) problems.required("spec.ports");
  if (ports != nullptr && ports->is_array()) {
    for (std::size_t i = 0; i < ports->size(); ++i) {
      const auto port = base::int_at((*ports)[i], {"port"}).value_or(0);
      if (port >= 1 && port <= 65535) continue;
      problems.invalid(fmt::format("spec.ports[{}].port", i), port,
                       "must be between 1 and 65535, inclusive");
    }
  }
  return problems.result();
}

Status admit_service(Json& object, const Json* old) {
  HEARTH_CHECK_OK(check_service(object, old));
  Json* spec = spec_of(object);
  if (spec == nullptr) return {};
  fill(*spec, "type", "ClusterIP");
  fill(*spec, "sessionAffinity", "None");
  const auto ports = spec->find("ports");
  if (ports == spec->end() || !ports->is_array()) return {};
  for (Json& port : *ports) {
    if (!port.is_object()) continue;
    fill(port, "protocol", "TCP");
    if (port.contains("port")) fill(port, "targetPort", port["port"]);
  }
  return {};
}

// Nobody schedules it: it waits.
Status admit_pod(Json& object, const Json* old) {
  if (!is_unchanged(object, old)) {
    Problems problems("Pod", object);
    const Json* spec = base::find(object, {"spec"});
    check_containers(spec, "spec", problems);
    HEARTH_CHECK_OK(problems.result());
  }
  if (Json* spec = spec_of(object)) fill(*spec, "restartPolicy", "Always");
  if (old == nullptr && string_at(object, {"status", "phase"}).empty()) {
    object["status"] = {{"phase", "Pending"}};
  }
  return {};
}

// Deployments whose status is ours say that they won't progress, so that nobody waits for it. Who
// runs a controller of his own writes the status and is left alone.
void tell_not_run(Json& object, const Json* old) {
  if (old != nullptr) {
    const Json* conditions = base::find(*old, {"status", "conditions"});
    const bool ours = conditions != nullptr && conditions->is_array() && conditions->size() == 1 &&
                      string_at(conditions->front(), {"message"}) == kNotRun;
    if (!ours) return;
    const bool same_spec =
        base::find(*old, {"spec"}) != nullptr && (*old)["spec"] == object["spec"];
    object["status"]["observedGeneration"] = resource::generation_of(*old) + (same_spec ? 0 : 1);
    return;
  }
  object["status"] = {{"observedGeneration", 1},
                      {"conditions",
                       {{{"type", "Progressing"},
                         {"status", "False"},
                         {"reason", "ProgressDeadlineExceeded"},
                         {"message", kNotRun}}}}};
}

Status admit_deployment(Json& object, const Json* old) {
  HEARTH_CHECK_OK(check_workload("Deployment.apps", object, old));
  Json* spec = spec_of(object);
  if (spec == nullptr) return {};
  fill(*spec, "replicas", 1);
  fill(*spec, "revisionHistoryLimit", 10);
  fill(*spec, "progressDeadlineSeconds", 600);
  fill(*spec, "strategy", Json::object());
  Json& strategy = (*spec)["strategy"];
  if (strategy.is_object()) {
    fill(strategy, "type", "RollingUpdate");
    if (string_at(strategy, {"type"}) == "RollingUpdate") {
      fill(strategy, "rollingUpdate", {{"maxSurge", "25%"}, {"maxUnavailable", "25%"}});
    }
  }
  tell_not_run(object, old);
  return {};
}

using Admission = std::function<Status(Json& object, const Json* old)>;

Admission workload_rule(const char* kind) {
  return [kind](Json& object, const Json* old) { return check_workload(kind, object, old); };
}

Admission replicas_rule(const char* kind) {
  return [kind](Json& object, const Json* old) -> Status {
    HEARTH_CHECK_OK(check_workload(kind, object, old));
    if (Json* spec = spec_of(object)) fill(*spec, "replicas", 1);
    return {};
  };
}

Status check_job(const Json& object, const Json* old) {
  if (is_unchanged(object, old)) return {};
  Problems problems("Job.batch", object);
  const Json* template_spec = base::find(object, {"spec", "template", "spec"});
  check_containers(template_spec, "spec.template.spec", problems);
  constexpr const char* kPath = "spec.template.spec.restartPolicy";
  constexpr const char* kSupported = "\"OnFailure\", \"Never\"";
  const std::string policy = string_at(object, {"spec", "template", "spec", "restartPolicy"});
  if (policy.empty())
    problems.required(kPath, fmt::format("valid values: {}", kSupported));
  else if (policy != "OnFailure" && policy != "Never")
    problems.unsupported(kPath, policy, kSupported);
  return problems.result();
}

// Kubernetes: a Job finds its Pods by a label that no other has. Without it `kubectl logs job/NAME`
// shows any Pod of the namespace.
void select_own_pods(Json& object) {
  const std::string uid = resource::uid_of(object);
  if (uid.empty() || base::bool_at(object, {"spec", "manualSelector"}).value_or(false)) return;
  Json& spec = object["spec"];
  fill(spec, "selector", {{"matchLabels", {{resource::kControllerUidLabel, uid}}}});
  Json& labels = spec["template"]["metadata"]["labels"];
  labels[resource::kControllerUidLabel] = uid;
  labels[resource::kJobNameLabel] = resource::name_of(object);
}

Status admit_job(Json& object, const Json* old) {
  HEARTH_CHECK_OK(check_job(object, old));
  Json* spec = spec_of(object);
  if (spec == nullptr) return {};
  fill(*spec, "backoffLimit", 6);
  fill(*spec, "completions", 1);
  fill(*spec, "parallelism", 1);
  fill(*spec, "suspend", false);
  if (old == nullptr) select_own_pods(object);
  return {};
}

}  // namespace

void set_built_in_rules(resource::DefinitionRegistry& definitions) {
  definitions.set_admission("", "services", admit_service);
  definitions.set_admission("", "pods", admit_pod);
  definitions.set_admission("apps", "deployments", admit_deployment);
  definitions.set_admission("apps", "replicasets", replicas_rule("ReplicaSet.apps"));
  definitions.set_admission("apps", "statefulsets", replicas_rule("StatefulSet.apps"));
  definitions.set_admission("apps", "daemonsets", workload_rule("DaemonSet.apps"));
  definitions.set_admission("batch", "jobs", admit_job);
}

}  // namespace hearth::store
