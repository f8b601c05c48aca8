#include "platform/lambda/lifecycle_event.h"

#include <fmt/format.h>

#include "platform/base/random_id.h"
#include "platform/resource/object.h"

namespace hearth::lambda {

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
