// One line a request, when it is wanted (--access-log, or the level debug). docs/metrics.md.
#pragma once

#include <string_view>

namespace hearth::http {
class Exchange;
}

namespace hearth::emulator {

// After the answer. Costs one atomic read when nobody wants the line.
void log_access(std::string_view server, http::Exchange& exchange);

}  // namespace hearth::emulator
