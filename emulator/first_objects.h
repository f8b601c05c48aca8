// What the store holds besides kinds before a user puts anything into it: namespaces, the broker
// for commands, the node; and what a former run left goes.
//
// Runs on the control loop, before the controllers start. What exists already stays as it is.
#pragma once

#include "emulator/emulator.h"
#include "platform/async/task.h"
#include "platform/resource/store.h"

namespace hearth::runtime {
class LogStore;
}

namespace hearth::emulator {

Task<void> create_first_objects(resource::Store& store, Endpoints endpoints);
// Instances end with the daemon, also with one that crashed; their Pods must not outlive them.
Task<void> remove_stale_pods(resource::Store& store, runtime::LogStore& logs);

}  // namespace hearth::emulator
