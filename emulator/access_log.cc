#include "emulator/access_log.h"

#include "platform/http/exchange.h"
#include "platform/telemetry/log.h"

namespace hearth::emulator {
namespace {
constexpr telemetry::Log kLog("access");
// traceparent: version "-" 32 digits of the trace "-" 16 of the span.
constexpr std::size_t kSpanAt = 36;
constexpr std::size_t kSpanSize = 16;
}  // namespace

void log_access(std::string_view server, http::Exchange& exchange) {
  if (!telemetry::access_log_wanted()) return;
  const std::string_view trace = exchange.trace_id();
  const http::RequestHead& request = exchange.request();
  const std::string_view parent = request.headers.get_or("traceparent", "");
  const std::chrono::duration<double, std::milli> spent =
      std::chrono::steady_clock::now() - exchange.started();
  // The query may hold secrets (presigned URLs); the path is enough to find a request.
  kLog.info("request", {{"server", server},
                        {"trace_id", trace},
                        {"span_id", parent.substr(kSpanAt, kSpanSize)},
                        {"method", request.method},
                        {"host", request.host()},
                        {"path", request.path()},
                        {"status", exchange.status()},
                        {"bytes", exchange.body_bytes_sent()},
                        {"ms", spent.count()},
                        {"cold", exchange.notes().cold},
                        {"revision", exchange.notes().revision}});
}

}  // namespace hearth::emulator
