#include "emulator/serving/pod_mirror.h"

#include "platform/resource/object.h"
#include "platform/resource/well_known.h"

namespace hearth::serving {

Json pod_object(const RevisionSpec& spec, const Json& revision_owner,
                const std::string& instance_id) {
  Json pod = resource::new_object(resource::kPods, {spec.ns, instance_id});
  pod["metadata"]["labels"] = {{"app", spec.name},
                               {"serving.knative.dev/revision", spec.name},
                               {"serving.knative.dev/configuration", spec.configuration},
                               {"serving.knative.dev/service", spec.service},
                               {"lambda.knative.io/name", spec.service}};
  resource::set_controller(pod, revision_owner);
  pod["spec"] = {{"containers",
                  {{{"name", "user-container"},
                    {"image", spec.image},
                    {"ports", {{{"name", "user-port"}, {"containerPort", 8080}}}}}}},
                 {"nodeName", "local"},
                 {"restartPolicy", "Always"}};
  return pod;
}

Json pod_status(const RevisionSpec& spec, bool ready, base::WallTime started, base::WallTime now,
                std::int64_t restarts) {
  Json container{{"name", "user-container"},
                 {"image", spec.image},
                 {"ready", ready},
                 {"started", ready},
                 {"restartCount", restarts}};
  if (ready)
    container["state"]["running"] = {{"startedAt", base::format_rfc3339(started)}};
  else
    container["state"]["waiting"] = {{"reason", "ContainerCreating"}};
  Json condition{{"type", "Ready"},
                 {"status", ready ? "True" : "False"},
                 {"lastTransitionTime", base::format_rfc3339(now)}};
  return {{"phase", ready ? "Running" : "Pending"},
          {"podIP", "127.0.0.1"},
          {"hostIP", "127.0.0.1"},
          {"startTime", base::format_rfc3339(started)},
          {"conditions", Json::array({std::move(condition)})},
          {"containerStatuses", Json::array({std::move(container)})}};
}

}  // namespace hearth::serving
