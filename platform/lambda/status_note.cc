#include "platform/lambda/status_note.h"

#include "platform/lambda/function.h"
#include "platform/lambda/ignored_fields.h"
#include "platform/resource/condition.h"
#include "platform/resource/object.h"

namespace hearth::lambda {

using resource::Condition;
using resource::EventNote;
using resource::EventType;

namespace {

// The first step that failed says more than the phase that follows from it.
EventNote phase_note(const Json& function, const std::string& phase, const Condition& ready) {
  for (const char* step : {"SourceReady", "EventingReady", "BuildReady", "DeployReady"}) {
    const Condition failed = resource::condition_of(function, step);
    if (failed.status == "False") {
      return {EventType::kWarning, failed.reason, failed.message, {}};
    }
  }
  return {EventType::kNormal,
          ready.reason.empty() ? phase : ready.reason,
          ready.message.empty() ? "phase " + phase : ready.message,
          {}};
}

}  // namespace

std::vector<EventNote> status_notes(const Json& before, const Json& after) {
  std::vector<EventNote> out;
  if (base::int_at(before, {"status", "observedGeneration"}) != resource::generation_of(after)) {
    out = ignored_field_notes(after);
  }
  if (!resource::annotation_of(before, kRollbackTargetAnnotation).empty() &&
      resource::annotation_of(after, kRollbackTargetAnnotation).empty()) {
    out.push_back({EventType::kNormal,
                   "RollbackEnded",
                   "spec or source changed since: the latest revision is to serve",
                   {}});
  }
  if (!resource::is_condition_true(before, "BuildReady") &&
      resource::is_condition_true(after, "BuildReady")) {
    out.push_back({EventType::kNormal,
                   resource::condition_of(after, "BuildReady").reason,
                   "image " + base::string_at(after, {"status", "buildStatus", "imageURI"}),
                   {}});
  }
  const std::string phase = base::string_at(after, {"status", "phase"});
  const Condition ready = resource::condition_of(after, "Ready");
  if (phase != base::string_at(before, {"status", "phase"}) ||
      ready.reason != resource::condition_of(before, "Ready").reason) {
    out.push_back(phase_note(after, phase, ready));
  }
  return out;
}

}  // namespace hearth::lambda
