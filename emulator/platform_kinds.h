// The kinds of Knative and of the product: CustomResourceDefinitions like any other, which come
// with the program.
#pragma once

#include <string>
#include <vector>

#include "platform/async/task.h"
#include "platform/base/result.h"
#include "platform/resource/definition.h"
#include "platform/resource/store.h"

namespace hearth::emulator {

// Stores those that are missing, or that another version of the program left behind. What a user
// changed in one stays until then. `definitions` is the store's; `languages` are those that
// functions may name.
Task<Status> define_platform_kinds(resource::Store& store,
                                   const resource::DefinitionRegistry& definitions,
                                   std::vector<std::string> languages);

}  // namespace hearth::emulator
