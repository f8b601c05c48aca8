#include "platform/lambda/lifecycle_event.h"

#include <utility>

#include <fmt/format.h>

#include "platform/base/random_id.h"
#include "platform/resource/object.h"

namespace hearth::lambda {

namespace {

// The catalogue's data of a function.
Json function_data(const Json& function) {
  Json out{{"phase", base::string_at(function, {"status", "phase"})},
           {"generation", resource::generation_of(function)}};
  const auto copy = [&](const char* name, std::initializer_list<std::string_view> path) {
    if (const Json* found = base::find(function, path)) out[name] = *found;
  };
  copy("observedGeneration", {"status", "observedGeneration"});
  copy("runtime", {"spec", "runtime"});
  copy("conditions", {"status", "conditions"});
  return out;
}

// The catalogue's data of a Service, as far as it is known yet.
Json service_data(const Json& service) {
  Json out{{"serviceName", resource::name_of(service)}};
  const auto copy = [&](const char* name, std::initializer_list<std::string_view> path) {
    if (const Json* found = base::find(service, path)) out[name] = *found;
  };
  copy("url", {"status", "url"});
  copy("latestRevision", {"status", "latestCreatedRevisionName"});
  copy("latestReadyRevision", {"status", "latestReadyRevisionName"});
  copy("traffic", {"spec", "traffic"});
  return out;
}

}  // namespace

std::string pinned_revision(const Json& service) {
  const Json* traffic = base::find(service, {"spec", "traffic"});
  if (traffic == nullptr || !traffic->is_array() || traffic->empty()) return {};
  return base::string_at(traffic->front(), {"revisionName"});
}

std::vector<LifecycleChange> lifecycle_changes(const Json& before, const Json& after,
                                               std::vector<LifecycleChange> steps) {
  std::vector<LifecycleChange> out;
  const std::string was = base::string_at(before, {"status", "phase"});
  const std::string is = base::string_at(after, {"status", "phase"});
  const auto observed = base::int_at(before, {"status", "observedGeneration"});
  if (was.empty()) {
    out.push_back({"lifecycle.function.created", function_data(after)});
  } else if (observed && *observed != resource::generation_of(after)) {
    out.push_back({"lifecycle.function.updated", function_data(after)});
  }
  for (LifecycleChange& step : steps) out.push_back(std::move(step));
  if (is != was && is == "Ready") {
    out.push_back({"lifecycle.function.ready", function_data(after)});
  } else if (is != was && is == "Failed") {
    out.push_back({"lifecycle.function.degraded", function_data(after)});
  }
  for (LifecycleChange& change : out) {
    change.data["name"] = resource::name_of(after);
    change.data["namespace"] = resource::namespace_of(after);
  }
  return out;
}

LifecycleChange build_ended(BuildEnd end, const std::string& job, const std::string& message) {
  struct Kind {
    const char* type;
    const char* phase;
    const char* error_type;
    const char* code;
    bool retryable;
  };
  static constexpr Kind kKinds[] = {
      {"lifecycle.build.failed", "Failed", "BuildError", "BUILD_FAILED", true},
      {"lifecycle.build.timeout", "Timeout", "TimeoutError", "BUILD_TIMEOUT", true},
      {"lifecycle.build.cancelled", "Cancelled", "CancellationError", "BUILD_CANCELLED", false}};
  const Kind& kind = kKinds[std::to_underlying(end)];
  return {kind.type,
          {{"jobName", job},
           {"buildId", job},
           {"phase", kind.phase},
           {"error",
            {{"type", kind.error_type},
             {"code", kind.code},
             {"message", message},
             {"retryable", kind.retryable}}}}};
}

std::vector<LifecycleChange> service_changes(const Json* before, const Json& after) {
  Json data = service_data(after);
  if (before == nullptr) return {{"lifecycle.service.created", std::move(data)}};
  // A new revision or other traffic: both are a new generation.
  if (resource::generation_of(*before) == resource::generation_of(after)) return {};
  std::vector<LifecycleChange> out;
  if (pinned_revision(*before) != pinned_revision(after)) {
    // A rollback changes the function by an annotation only, which is no new generation of it.
    out.push_back({"lifecycle.function.updated", {{"rollbackTarget", pinned_revision(after)}}});
  }
  out.push_back({"lifecycle.service.updated", std::move(data)});
  return out;
}

LifecycleChange service_ready(const Json& service) {
  Json data = service_data(service);
  data["ready"] = true;
  return {"lifecycle.service.ready", std::move(data)};
}

event::CloudEvent lifecycle_event(const Json& function, const std::string& type, const Json& data,
                                  base::WallTime now) {
  event::CloudEvent event;
  event.id = base::random_uuid();
  event.type = "io.knative.lambda." + type;
  event.source = fmt::format("io.knative.lambda/operator/{}/{}", resource::namespace_of(function),
                             resource::name_of(function));
  event.subject = resource::key_of(function).text();
  event.time = base::format_rfc3339_millis(now);
  event.datacontenttype = "application/json";
  event.data = base::dump_json(data);
  // One correlation a function's life: its uid (the reference made a fresh one per event, B-50).
  event.set("correlationid", resource::uid_of(function));
  return event;
}

}  // namespace hearth::lambda
