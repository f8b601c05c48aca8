#include "platform/lambda/function_status.h"

#include <algorithm>

#include "platform/resource/condition.h"

namespace hearth::lambda {

using base::int_at;
using base::string_at;

BuildStatus read_build_status(const Json& object) {
  const Json* found = base::find(object, {"status", "buildStatus"});
  if (found == nullptr) return {};
  return {.source_hash = string_at(*found, {"sourceHash"}),
          .source_version = string_at(*found, {"sourceVersion"}),
          .rebuild = string_at(*found, {"rebuildRequested"}),
          .attempt = int_at(*found, {"attempt"}).value_or(0),
          .job_name = string_at(*found, {"jobName"}),
          .image = string_at(*found, {"imageURI"}),
          .content_hash = string_at(*found, {"contentHash"}),
          .error = string_at(*found, {"error"}),
          .retry_at = string_at(*found, {"retryAt"})};
}

void write_build_status(Json& object, const BuildStatus& build) {
  Json& status = object["status"]["buildStatus"];
  const auto put = [&](const char* field, const std::string& text) {
    if (text.empty())
      status.erase(field);
    else
      status[field] = text;
  };
  if (!status.is_object()) status = Json::object();
  status["attempt"] = build.attempt;
  put("sourceHash", build.source_hash);
  put("sourceVersion", build.source_version);
  put("rebuildRequested", build.rebuild);
  put("jobName", build.job_name);
  put("imageURI", build.image);
  put("contentHash", build.content_hash);
  put("error", build.error);
  put("retryAt", build.retry_at);
}

std::chrono::seconds build_retry_delay(std::int64_t attempt) {
  const auto shift = std::clamp<std::int64_t>(attempt - 1, 0, 10);
  return std::min(std::chrono::seconds(10L << shift), std::chrono::seconds(300));
}

void set_phase(Json& object, const std::string& phase, const std::string& reason,
               const std::string& message, base::WallTime now) {
  object["status"]["phase"] = phase;
  const std::string status = phase == "Ready" ? "True" : phase == "Failed" ? "False" : "Unknown";
  resource::set_condition(object, {"Ready", status, reason, message}, now);
}

}  // namespace hearth::lambda
