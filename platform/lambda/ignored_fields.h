// Fields and annotations of the reference's LambdaFunction that are accepted, for its manifests are
// to be applied as they are, and that no controller here reads. Pure.
#pragma once

#include <vector>

#include "platform/base/json.h"
#include "platform/resource/event_recorder.h"

namespace hearth::lambda {

// A FieldIgnored for each kind of field that asks for something: the fields and what to do instead.
// Defaults of the schema, and what is switched off by `enabled: false`, ask for nothing. Without
// their component.
std::vector<resource::EventNote> ignored_field_notes(const Json& function);

}  // namespace hearth::lambda
