#include "platform/lambda/owned_objects.h"

#include <fmt/format.h>

#include "platform/lambda/function.h"
#include "platform/lambda/function_status.h"
#include "platform/lambda/lifecycle_event.h"
#include "platform/resource/object.h"

namespace hearth::lambda {

using base::string_at;
using resource::Condition;

namespace {

// By the Service, not by the annotation: that is a wish until the Service has it.
std::string pin_message(const Json& function, const Json& service) {
  const std::string pinned = pinned_revision(service);
  if (pinned.empty()) return {};
  const bool asked = resource::annotation_of(function, kRollbackTargetAnnotation) == pinned;
  return fmt::format("traffic is pinned to {}{}, until spec or source change", pinned,
                     asked ? fmt::format(" by the annotation {}", kRollbackTargetAnnotation) : "");
}

}  // namespace

std::string routed_revision(const Json& service) {
  const Json* traffic = base::find(service, {"status", "traffic"});
  if (traffic != nullptr && traffic->is_array() && !traffic->empty()) {
    std::string named = string_at(traffic->front(), {"revisionName"});
    if (!named.empty()) return named;
  }
  return string_at(service, {"status", "latestReadyRevisionName"});
}

bool is_owned_by(const Json& object, const Json& function) {
  const auto owner = resource::controller_of(object);
  return owner && owner->uid == resource::uid_of(function);
}

Condition job_outcome(const Json& job) {
  for (const char* type : {"Complete", "Failed"}) {
    Condition condition = resource::condition_of(job, type);
    if (condition.status == "True") return condition;
  }
  return {};
}

Condition service_outcome(const Json& service) {
  Condition ready = resource::condition_of(service, "Ready");
  const auto observed = base::int_at(service, {"status", "observedGeneration"});
  if (observed != resource::generation_of(service)) ready.status = "Unknown";
  return ready;
}

std::string served_image(const Json& service) {
  const Json* containers = base::find(service, {"spec", "template", "spec", "containers"});
  if (containers == nullptr || !containers->is_array() || containers->empty()) return {};
  return string_at(containers->front(), {"image"});
}

Json traffic_to(const std::string& revision) {
  return Json::array({revision.empty() ? Json{{"latestRevision", true}, {"percent", 100}}
                                       : Json{{"revisionName", revision}, {"percent", 100}}});
}

void write_service_status(Json& function, const Json& service) {
  Json& status = function["status"]["serviceStatus"];
  status["serviceName"] = resource::name_of(service);
  status["ready"] = service_outcome(service).status == "True";
  const auto put = [&](const char* field, std::string text) {
    if (!text.empty()) status[field] = std::move(text);
  };
  put("url", string_at(service, {"status", "url"}));
  put("latestRevision", string_at(service, {"status", "latestReadyRevisionName"}));
  put("servedRevision", routed_revision(service));
}

void write_service_outcome(Json& function, const Json& service, base::WallTime now) {
  const Condition ready = service_outcome(service);
  const auto both = [&](const char* deployed, const char* serves) {
    resource::set_condition(function, {"DeployReady", ready.status, deployed, ready.message}, now);
    resource::set_condition(function, {"ServiceReady", ready.status, serves, ready.message}, now);
  };
  if (ready.status == "True") {
    both("ServiceDeployed", "ServiceReady");
    set_phase(function, "Ready", "Ready", pin_message(function, service), now);
  } else if (ready.status == "False") {
    both("ServiceUnhealthy", "ServiceUnhealthy");
    set_phase(function, "Failed", ready.reason, ready.message, now);
  } else {
    resource::set_condition(function, {"DeployReady", "Unknown", "ServiceDeploying", ready.message},
                            now);
    set_phase(function, "Deploying", "ServiceDeploying", ready.message, now);
  }
}

bool is_edited(const Json& trigger) {
  const auto observed = base::int_at(trigger, {"status", "observedGeneration"});
  return resource::generation_of(trigger) > 1 && observed != resource::generation_of(trigger);
}

}  // namespace hearth::lambda
