#include "emulator/apiserver/watches.h"

#include <algorithm>

#include <poll.h>

#include "emulator/apiserver/status_error.h"
#include "platform/async/deadline.h"
#include "platform/base/text.h"
#include "platform/http/stream.h"

namespace hearth::apiserver {

using namespace resource;

namespace {

constexpr std::chrono::seconds kBookmarkInterval{60};
constexpr std::chrono::seconds kLastBookmark{2};
constexpr std::chrono::milliseconds kShortestWait{10};
constexpr std::int64_t kDefaultSeconds = 1800 + 600;
constexpr std::chrono::milliseconds kDeadPeerCheck{5'000};

bool peer_is_gone(int fd) {
  pollfd entry{fd, POLLRDHUP, 0};
  return ::poll(&entry, 1, 0) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

// The state of one watch response.
struct WatchResponse {
  http::Exchange& exchange;
  const Definition& definition;
  Type type;
  bool table = false;
  bool partial = false;
  bool bookmarks = false;
  bool initial_end_wanted = false;
  bool columns_sent = false;
  IncludeObject include = IncludeObject::kMetadata;
  std::uint64_t version = 0;
};

const char* event_name(WatchEvent::Type type) {
  switch (type) {
    case WatchEvent::Type::kAdded:
      return "ADDED";
    case WatchEvent::Type::kModified:
      return "MODIFIED";
    case WatchEvent::Type::kDeleted:
      return "DELETED";
    case WatchEvent::Type::kBookmark:
      return "BOOKMARK";
  }
  return "ERROR";
}

Task<Status> send_event(WatchResponse& watch, const char* type, const Json& object) {
  co_return co_await watch.exchange.write(base::dump_json({{"type", type}, {"object", object}}) +
                                          "\n");
}

Task<Status> send_bookmark(WatchResponse& watch, bool initial_end) {
  Json object{
      {"kind", watch.definition.type.kind},
      {"apiVersion", watch.type.api_version()},
      {"metadata",
       {{"resourceVersion", std::to_string(watch.version)}, {"creationTimestamp", nullptr}}}};
  if (initial_end) object["metadata"]["annotations"]["k8s.io/initial-events-end"] = "true";
  co_return co_await send_event(watch, "BOOKMARK", object);
}

Task<Status> send_watch_event(WatchResponse& watch, WatchEvent event, base::WallTime now) {
  if (event.resource_version > watch.version) watch.version = event.resource_version;
  if (event.type == WatchEvent::Type::kBookmark) {
    if (watch.initial_end_wanted) co_return co_await send_bookmark(watch, true);
    co_return Status();
  }
  const ObjectPtr object = in_version(event.object, watch.type);
  if (watch.table) {
    Json table = table_of(watch.definition, {object}, watch.include, now);
    // Only the first event of a table watch carries the columns.
    if (watch.columns_sent) table["columnDefinitions"] = nullptr;
    watch.columns_sent = true;
    table["metadata"]["resourceVersion"] = std::to_string(event.resource_version);
    co_return co_await send_event(watch, event_name(event.type), table);
  }
  co_return co_await send_event(watch, event_name(event.type),
                                watch.partial ? metadata_only(*object) : *object);
}

// When bookmarks are due: once a minute, and shortly before the end, so that the client can go on
// from there.
class BookmarkClock {
 public:
  BookmarkClock(base::MonotonicTime now, base::MonotonicTime end)
      : last_(end - kLastBookmark), next_(std::min(now + kBookmarkInterval, last_)) {}

  bool is_due(base::MonotonicTime now) const { return now >= next_; }
  base::MonotonicTime next() const { return next_; }
  void sent(base::MonotonicTime now) {
    next_ = now < last_ ? std::min(now + kBookmarkInterval, last_) : base::MonotonicTime::max();
  }

 private:
  base::MonotonicTime last_;
  base::MonotonicTime next_;
};

// Until the time is up, the client gone or the history lost.
Task<Status> send_events(WatchResponse& response, Watch& watch, base::MonotonicTime end,
                         const base::Clock& clock) {
  http::Stream& stream = response.exchange.stream();
  BookmarkClock bookmarks(clock.monotonic(), end);
  Status sent;
  while (sent && clock.monotonic() < end) {
    stream.never_expire();
    const auto until = response.bookmarks ? std::min(bookmarks.next(), end) : end;
    const auto wait = std::clamp<std::chrono::nanoseconds>(until - clock.monotonic(), kShortestWait,
                                                           kDeadPeerCheck);
    auto event = co_await async::with_deadline(watch.next(), wait);
    if (event && *event) {
      sent = co_await send_watch_event(response, std::move(**event), clock.wall());
    } else if (event) {
      if (event->error().code == Code::kExpired) {
        (void)co_await send_event(response, "ERROR", status_object(event->error(), nullptr, ""));
      }
      co_return Status();
    } else if (peer_is_gone(stream.fd())) {
      co_return fail(Code::kCancelled, "the client is gone");
    } else if (response.bookmarks && bookmarks.is_due(clock.monotonic())) {
      bookmarks.sent(clock.monotonic());
      response.version = std::max(response.version, watch.version());
      sent = co_await send_bookmark(response, false);
    }
  }
  co_return sent;
}

Result<WatchOptions> watch_options(const Request& request) {
  const Query& query = request.query;
  HEARTH_CHECK_OK(check_field_selector(*request.definition, query.get("fieldSelector")));
  const std::string text = query.get("resourceVersion");
  const auto version =
      text.empty() ? std::optional<std::uint64_t>(0) : base::parse_int<std::uint64_t>(text);
  if (!version) return fail(Code::kBadRequest, "resourceVersion is no number: " + text);
  const bool initial_events = query.flag("sendInitialEvents");
  if (initial_events && query.get("resourceVersionMatch") != "NotOlderThan") {
    return fail(Code::kInvalid,
                "resourceVersionMatch: Forbidden: sendInitialEvents requires "
                "setting resourceVersionMatch to NotOlderThan");
  }
  return WatchOptions{.ns = request.path.ns,
                      .label_selector = query.get("labelSelector"),
                      .field_selector = query.get("fieldSelector"),
                      .resource_version = initial_events ? 0 : *version};
}

}  // namespace

Task<void> watch_objects(Request& request) {
  const Query& query = request.query;
  const base::Clock& clock = request.backend.clock;
  auto options = watch_options(request);
  auto watch = options ? co_await request.backend.store.watch(request.type(), *options)
                       : Result<std::unique_ptr<Watch>>(fail(options.error()));
  if (!watch && watch.error().code != Code::kExpired) {
    co_return co_await send_error(request.exchange, watch.error(), request.definition.get());
  }
  WatchResponse response{.exchange = request.exchange,
                         .definition = *request.definition,
                         .type = request.type(),
                         .table = wants_table(request.exchange),
                         .partial = wants_metadata(request.exchange),
                         .bookmarks = query.flag("allowWatchBookmarks"),
                         .initial_end_wanted = query.flag("sendInitialEvents"),
                         .include = include_object(query),
                         .version = options->resource_version};
  http::ResponseHead head;
  head.headers.add("Content-Type", "application/json");
  if (!co_await request.exchange.begin(head)) co_return;
  Status sent;
  if (watch) {
    const auto seconds = query.integer("timeoutSeconds").value_or(kDefaultSeconds);
    const auto end =
        clock.monotonic() + std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, 86'400));
    sent = co_await send_events(response, **watch, end, clock);
  } else {
    // History is gone: one ERROR event, then the end.
    sent = co_await send_event(response, "ERROR", status_object(watch.error(), nullptr, ""));
  }
  if (sent) (void)co_await request.exchange.finish();
}

}  // namespace hearth::apiserver
