#include "emulator/serving/pod_mirror.h"

#include <string_view>
#include <utility>

#include "platform/resource/object.h"
#include "platform/resource/well_known.h"

namespace hearth::serving {

Json pod_object(const RevisionSpec& spec, const std::string& instance_id) {
  Json pod = resource::new_object(resource::kPods, {spec.ns, instance_id});
  pod["metadata"]["labels"] = {{"app", spec.name},
                               {"serving.knative.dev/revision", spec.name},
                               {"serving.knative.dev/configuration", spec.configuration},
                               {"serving.knative.dev/service", spec.service},
                               {"lambda.knative.io/name", spec.service}};
  resource::set_controller(pod, {{"apiVersion", "serving.knative.dev/v1"},
                                 {"kind", "Revision"},
                                 {"metadata", {{"name", spec.name}, {"uid", spec.uid}}}});
  pod["spec"] = {{"containers",
                  {{{"name", "user-container"},
                    {"image", spec.image},
                    {"ports", {{{"name", "user-port"}, {"containerPort", 8080}}}}}}},
                 {"nodeName", "local"},
                 {"restartPolicy", "Always"}};
  return pod;
}

namespace {

constexpr std::string_view kContainerScheme = "hearth://";

// The kubelet's words for how a container ended.
Json terminated(const Crash& crash) {
  std::string reason = crash.reason;
  if (reason != "OOMKilled") reason = crash.exit_code == 0 ? "Completed" : "Error";
  return {{"exitCode", crash.exit_code},
          {"reason", std::move(reason)},
          {"startedAt", base::format_rfc3339(crash.started)},
          {"finishedAt", base::format_rfc3339(crash.finished)},
          {"containerID", std::string(kContainerScheme) + crash.instance}};
}

Json container_status(const RevisionSpec& spec, bool ready, std::int64_t restarts) {
  return {{"name", "user-container"}, {"image", spec.image}, {"imageID", spec.image_digest},
          {"ready", ready},           {"started", ready},    {"restartCount", restarts}};
}

Json status_of(const char* phase, Json container, base::WallTime started, base::WallTime changed) {
  const bool ready = container["ready"].get<bool>();
  Json condition{{"type", "Ready"},
                 {"status", ready ? "True" : "False"},
                 {"lastTransitionTime", base::format_rfc3339(changed)}};
  return {{"phase", phase},
          {"podIP", "127.0.0.1"},
          {"hostIP", "127.0.0.1"},
          {"startTime", base::format_rfc3339(started)},
          {"conditions", Json::array({std::move(condition)})},
          {"containerStatuses", Json::array({std::move(container)})}};
}

}  // namespace

Json pod_status(const RevisionSpec& spec, const PodState& state) {
  Json container = container_status(spec, state.ready, state.restarts);
  if (state.ready)
    container["state"]["running"] = {{"startedAt", base::format_rfc3339(state.started)}};
  else
    container["state"]["waiting"] = {{"reason", "ContainerCreating"}};
  if (state.last_crash != nullptr) {
    container["lastState"]["terminated"] = terminated(*state.last_crash);
  }
  return status_of(state.ready ? "Running" : "Pending", std::move(container), state.started,
                   state.now);
}

Json ended_pod_status(const RevisionSpec& spec, const Crash& crash, std::int64_t restarts) {
  Json container = container_status(spec, false, restarts);
  container["state"]["terminated"] = terminated(crash);
  return status_of("Failed", std::move(container), crash.started, crash.finished);
}

std::string logged_instance(const Json& pod, bool previous) {
  const Json* containers = base::find(pod, {"status", "containerStatuses"});
  if (previous && containers != nullptr && containers->is_array() && !containers->empty()) {
    const std::string id =
        base::string_at(containers->front(), {"lastState", "terminated", "containerID"});
    // People may write a Pod's status: it must not lead out of the folder of logs.
    const bool ours =
        id.starts_with(kContainerScheme) && !id.substr(kContainerScheme.size()).contains('/');
    if (ours) return id.substr(kContainerScheme.size());
  }
  return resource::name_of(pod);
}

}  // namespace hearth::serving
