// What long work asks in each of its loops, so that cancelling it or its time limit ends it soon.
#pragma once

#include <functional>

#include "platform/base/result.h"

namespace hearth::oci {

// Fails when the work is to end, with the reason. May be empty.
using Checkpoint = std::function<Status()>;

inline Status pass(const Checkpoint& checkpoint) { return checkpoint ? checkpoint() : Status(); }

}  // namespace hearth::oci
