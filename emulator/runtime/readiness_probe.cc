#include "emulator/runtime/readiness_probe.h"

#include <fmt/format.h>

#include "platform/http/client.h"

namespace hearth::runtime {

Task<Status> probe_once(async::Loop& loop, std::string host, std::uint16_t port,
                        ReadinessProbe probe) {
  constexpr std::chrono::seconds kProbeTimeout{1};  // Kubernetes: timeoutSeconds
  HEARTH_CO_TRY(stream,
                co_await http::Stream::connect(loop, {.host = host, .port = port}, kProbeTimeout));
  if (probe.path.empty()) co_return Status();
  http::ClientConnection connection(loop, std::move(stream));
  connection.stream().expire_after(kProbeTimeout);
  http::RequestHead head{.method = "GET", .target = probe.path, .headers = {}};
  head.headers.add("Host", probe.host_header);
  head.headers.add("User-Agent", "kube-probe/hearth");
  HEARTH_CO_CHECK_OK(co_await connection.send(head, ""));
  HEARTH_CO_TRY(answer, co_await connection.read_head());
  if (answer.status >= 200 && answer.status < 400) co_return Status();
  co_return fail(Code::kUnavailable,
                 fmt::format("readiness probe GET {} was answered {} {}", probe.path, answer.status,
                             http::reason_phrase(answer.status)));
}

}  // namespace hearth::runtime
