#include "emulator/apiserver/pod_log.h"

#include <algorithm>

#include <fmt/format.h>

#include "emulator/apiserver/request.h"
#include "platform/http/stream.h"
#include "platform/resource/well_known.h"

namespace hearth::apiserver {

using namespace resource;

namespace {

Task<Status> write_log(http::Exchange& exchange, std::string_view piece) {
  Status written = co_await exchange.write(piece);
  exchange.stream().never_expire();
  co_return written;
}

// An instance that was never replaced has no log but its present one.
Status check_previous(const Json& pod, const Query& query) {
  if (!query.flag("previous")) return {};
  const Json* containers = base::find(pod, {"status", "containerStatuses"});
  const bool restarted = containers != nullptr && containers->is_array() &&
                         std::ranges::any_of(*containers, [](const Json& one) {
                           return base::int_at(one, {"restartCount"}).value_or(0) > 0;
                         });
  if (restarted) return {};
  std::string container = query.get("container");
  if (container.empty() && containers != nullptr && containers->is_array() &&
      !containers->empty()) {
    container = base::string_at(containers->front(), {"name"});
  }
  return fail(Code::kBadRequest, fmt::format("previous terminated container \"{}\" in pod \"{}\" "
                                             "not found",
                                             container, name_of(pod)));
}

}  // namespace

Task<void> send_pod_log(Request& request) {
  auto pod = co_await request.backend.store.get(kPods, request.key());
  if (!pod) {
    co_await send_error(request.exchange, pod.error(), request.definition.get(), request.path.name);
    co_return;
  }
  const Query& query = request.query;
  if (const Status previous = check_previous(**pod, query); !previous) {
    co_await send_error(request.exchange, previous.error(), request.definition.get(),
                        request.path.name);
    co_return;
  }
  LogOptions options{.container = query.get("container"),
                     .follow = query.flag("follow"),
                     .previous = query.flag("previous"),
                     .timestamps = query.flag("timestamps"),
                     .tail_lines = query.integer("tailLines"),
                     .since_seconds = query.integer("sinceSeconds"),
                     .limit_bytes = query.integer("limitBytes")};
  http::ResponseHead head;
  head.headers.add("Content-Type", "text/plain");
  http::Exchange& exchange = request.exchange;
  if (!co_await exchange.begin(head)) co_return;
  const LogSink sink = [&exchange](std::string_view piece) { return write_log(exchange, piece); };
  // A followed log may be quiet for hours.
  exchange.stream().never_expire();
  const Status sent = co_await request.backend.logs(*pod, options, sink);
  if (sent || sent.error().code == Code::kNotFound) (void)co_await exchange.finish();
}

}  // namespace hearth::apiserver
