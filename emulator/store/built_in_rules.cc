#include "emulator/store/built_in_rules.h"

#include "platform/resource/object.h"

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

Status admit_service(Json& object, const Json*) {
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

Status admit_replicas(Json& object, const Json*) {
  if (Json* spec = spec_of(object)) fill(*spec, "replicas", 1);
  return {};
}

Status admit_job(Json& object, const Json*) {
  Json* spec = spec_of(object);
  if (spec == nullptr) return {};
  fill(*spec, "backoffLimit", 6);
  fill(*spec, "completions", 1);
  fill(*spec, "parallelism", 1);
  fill(*spec, "suspend", false);
  return {};
}

}  // namespace

void set_built_in_rules(resource::DefinitionRegistry& definitions) {
  definitions.set_admission("", "services", admit_service);
  definitions.set_admission("", "pods", admit_pod);
  definitions.set_admission("apps", "deployments", admit_deployment);
  definitions.set_admission("apps", "replicasets", admit_replicas);
  definitions.set_admission("apps", "statefulsets", admit_replicas);
  definitions.set_admission("batch", "jobs", admit_job);
}

}  // namespace hearth::store
