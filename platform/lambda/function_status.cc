#include "platform/lambda/function_status.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "platform/base/hash.h"
#include "platform/lambda/command_receiver.h"
#include "platform/lambda/function.h"
#include "platform/resource/condition.h"
#include "platform/resource/object.h"

namespace hearth::lambda {

using base::int_at;
using base::string_at;

namespace {

constexpr std::string_view kCancelled = "Cancelled";

struct Pin {
  std::string revision;
  std::string requested;  // whatever its annotation says; empty when there is none
  std::int64_t generation = 0;
  std::string content_hash;

  bool is_same_request(const Pin& other) const {
    return revision == other.revision && requested == other.requested;
  }
};

// What the annotation asks for, at the spec and content of now.
std::optional<Pin> wanted_pin(const Json& object) {
  std::string revision = resource::annotation_of(object, kRollbackTargetAnnotation);
  if (revision.empty()) return std::nullopt;
  return Pin{std::move(revision), resource::annotation_of(object, kRollbackRequestedAnnotation),
             resource::generation_of(object), read_build_status(object).content_hash};
}

std::optional<Pin> noted_pin(const Json& object) {
  const Json* found = base::find(object, {"status", "serviceStatus", "pinned"});
  if (found == nullptr) return std::nullopt;
  return Pin{string_at(*found, {"revision"}), string_at(*found, {"requested"}),
             int_at(*found, {"generation"}).value_or(0), string_at(*found, {"contentHash"})};
}

}  // namespace

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

std::string source_hash(const Json& object) {
  const Json* spec = base::find(object, {"spec"});
  return base::sha256_hex(base::dump_json({(*spec)["source"], (*spec)["runtime"]})).substr(0, 16);
}

std::string cancellation(const Json& object) {
  const std::string reason = resource::annotation_of(object, kCancelReasonAnnotation);
  // An annotation that nobody checked may be longer than a condition's message.
  if (reason.empty() || reason.size() > kCancelReasonBytesMax) return std::string(kCancelled);
  return fmt::format("{}: {}", kCancelled, reason);
}

bool is_cancelled(const BuildStatus& build) { return build.error.starts_with(kCancelled); }

void note_rollback(Json& object) {
  const auto wanted = wanted_pin(object);
  const auto noted = noted_pin(object);
  if (!wanted && noted) object["status"]["serviceStatus"].erase("pinned");
  if (!wanted || (noted && noted->is_same_request(*wanted))) return;
  object["status"]["serviceStatus"]["pinned"] = {{"revision", wanted->revision},
                                                 {"requested", wanted->requested},
                                                 {"generation", wanted->generation},
                                                 {"contentHash", wanted->content_hash}};
}

bool end_rollback(Json& object, const std::string& built) {
  const auto wanted = wanted_pin(object);
  const auto noted = noted_pin(object);
  if (!wanted || !noted || !noted->is_same_request(*wanted)) return false;
  if (wanted->generation <= noted->generation && built == noted->content_hash) return false;
  Json& annotations = object["metadata"]["annotations"];
  for (const std::string_view name :
       {kRollbackTargetAnnotation, kRollbackRequestedAnnotation, kRollbackReasonAnnotation}) {
    annotations.erase(std::string(name));
  }
  return true;
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
