#include "emulator/serving/revision_events.h"

#include "platform/base/text.h"
#include "platform/resource/object.h"
#include "platform/resource/well_known.h"

namespace hearth::serving {
namespace {

constexpr std::size_t kMessageBytesMax = 1024;  // Kubernetes: of an Event's message

}  // namespace

Task<void> record_warning(resource::Store& store, RevisionSpec spec, std::string reason,
                          std::string message, base::WallTime now) {
  const resource::ObjectKey key{spec.ns, spec.name + "." + base::lower(reason)};
  const std::string time = base::format_rfc3339(now);
  const auto known = co_await store.get(resource::kEvents, key);
  Json event = known ? **known : resource::new_object(resource::kEvents, key);
  if (!known) {
    event["involvedObject"] = {{"apiVersion", "serving.knative.dev/v1"},
                               {"kind", "Revision"},
                               {"namespace", spec.ns},
                               {"name", spec.name},
                               {"uid", spec.uid}};
    event["type"] = "Warning";
    event["reason"] = reason;
    event["source"] = {{"component", "hearth"}};
    event["firstTimestamp"] = time;
  }
  event["count"] = base::int_at(event, {"count"}).value_or(0) + 1;
  event["lastTimestamp"] = time;
  event["message"] = message.substr(0, kMessageBytesMax);
  if (known)
    (void)co_await store.update(resource::kEvents, std::move(event), {});
  else
    (void)co_await store.create(resource::kEvents, std::move(event), {});
}

}  // namespace hearth::serving
