#include "platform/lambda/owned_objects.h"

#include "platform/resource/object.h"

namespace hearth::lambda {

using base::string_at;
using resource::Condition;

namespace {

// The revision that the Route sends requests to.
std::string routed_revision(const Json& service) {
  const Json* traffic = base::find(service, {"status", "traffic"});
  if (traffic != nullptr && traffic->is_array() && !traffic->empty()) {
    std::string named = string_at(traffic->front(), {"revisionName"});
    if (!named.empty()) return named;
  }
  return string_at(service, {"status", "latestReadyRevisionName"});
}

}  // namespace

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

bool is_edited(const Json& trigger) {
  const auto observed = base::int_at(trigger, {"status", "observedGeneration"});
  return resource::generation_of(trigger) > 1 && observed != resource::generation_of(trigger);
}

}  // namespace hearth::lambda
