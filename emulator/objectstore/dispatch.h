// Which operation a request asks for.
#pragma once

#include <string>
#include <string_view>

#include "emulator/objectstore/call.h"
#include "emulator/objectstore/services.h"

namespace hearth::objectstore {

using Operation = Task<Status> (*)(Services&, Call&);

// NotImplemented names the operation; what clients ask about features no bucket has is answered as
// Amazon answers for a bucket that has none set.
Result<Operation> choose_operation(const Call& call);

}  // namespace hearth::objectstore
