#include "kube-adapter/remote_watch.h"

#include <fmt/format.h>

#include "kube-adapter/resource_path.h"
#include "kube-adapter/status_error.h"
#include "platform/base/random_id.h"
#include "platform/base/text.h"
#include "platform/telemetry/log.h"

namespace hearth::kube_adapter {

using namespace resource;

namespace {

constexpr telemetry::Log kLog("kube");
constexpr std::size_t kLineBytesMax = 8 * 1024 * 1024;
constexpr std::size_t kReadBytes = 32 * 1024;
// The server ends a watch after five to ten minutes, spread so that not all begin anew at once.
constexpr int kTimeoutSeconds = 300;
// Bookmarks come about once a minute: who is silent for longer than this may be gone.
constexpr std::chrono::seconds kSilenceMax{150};
constexpr std::chrono::seconds kVeryShort{1};

std::optional<WatchEvent::Type> event_type(const std::string& name) {
  if (name == "ADDED") return WatchEvent::Type::kAdded;
  if (name == "MODIFIED") return WatchEvent::Type::kModified;
  if (name == "DELETED") return WatchEvent::Type::kDeleted;
  if (name == "BOOKMARK") return WatchEvent::Type::kBookmark;
  return std::nullopt;
}

Error not_an_event(std::string_view why) {
  return {Code::kUnavailable, fmt::format("a line of the watch is no event: {}", why), {}};
}

}  // namespace

Result<ObjectPtr> received_object(const Type& type, Json object) {
  if (!object.is_object() || name_of(object).empty()) {
    return fail(Code::kCorrupt, fmt::format("the server sent {} without a name", type.kind));
  }
  object["apiVersion"] = type.api_version();
  object["kind"] = type.kind;
  object["metadata"].erase("managedFields");
  return std::make_shared<const Json>(std::move(object));
}

Result<WatchEvent> parse_watch_line(const Type& type, const std::string& line) {
  auto document = base::parse_json(line);
  if (!document) return fail(not_an_event(document.error().message));
  const std::string name = base::string_at(*document, {"type"});
  const auto object = document->is_object() ? document->find("object") : document->end();
  if (object == document->end() || !object->is_object()) {
    return fail(not_an_event("it has no object"));
  }
  if (name == "ERROR") return fail(error_of_status(*object));
  const auto kind = event_type(name);
  if (!kind) return fail(not_an_event(fmt::format("unknown type \"{}\"", name)));
  WatchEvent event{*kind, nullptr, resource_version_of(*object)};
  if (event.resource_version == 0) return fail(not_an_event("it has no resourceVersion"));
  if (*kind == WatchEvent::Type::kBookmark) return event;
  auto received = received_object(type, std::move(*object));
  if (!received) return fail(not_an_event(received.error().message));
  event.object = std::move(*received);
  return event;
}

RemoteWatch::RemoteWatch(ApiClient& client, Type type, WatchOptions options,
                         std::deque<WatchEvent> state)
    : client_(client),
      type_(std::move(type)),
      options_(std::move(options)),
      state_(std::move(state)) {}

std::string RemoteWatch::target() const {
  const int spread = static_cast<unsigned char>(base::random_bytes(1)[0]);
  return collection_path(type_, options_.ns) +
         query_text({{"watch", "true"},
                     {"allowWatchBookmarks", "true"},
                     {"resourceVersion", std::to_string(options_.resource_version)},
                     {"timeoutSeconds", std::to_string(kTimeoutSeconds + spread)},
                     {"labelSelector", options_.label_selector},
                     {"fieldSelector", options_.field_selector}});
}

Task<Status> RemoteWatch::open() {
  buffer_.clear();
  searched_ = 0;
  brought_events_ = false;
  opened_ = std::chrono::steady_clock::now();
  HEARTH_CO_TRY(connection, co_await client_.open_stream(target()));
  connection->be_patient({.stall = kSilenceMax});
  connection_ = std::move(connection);
  co_return Status();
}

Task<Result<std::optional<std::string>>> RemoteWatch::read_line() {
  while (true) {
    const auto end = buffer_.find('\n', searched_);
    if (end != buffer_.npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      searched_ = 0;
      co_return line;
    }
    searched_ = buffer_.size();
    if (buffer_.size() > kLineBytesMax) {
      co_return fail(not_an_event(fmt::format("it is over {} bytes long", kLineBytesMax)));
    }
    buffer_.resize(searched_ + kReadBytes);
    auto got = co_await connection_->read_body(buffer_.data() + searched_, kReadBytes);
    buffer_.resize(searched_ + (got ? *got : 0));
    if (!got && got.error().code == Code::kBadRequest) {
      co_return fail(Code::kUnavailable, "the watch's connection broke: " + got.error().message);
    }
    if (!got) co_return fail(got.error());
    if (*got > 0) continue;
    if (!base::trim(buffer_).empty()) {
      co_return fail(Code::kUnavailable, "the watch's connection ended within an event");
    }
    co_return std::nullopt;
  }
}

Task<Result<WatchEvent>> RemoteWatch::next() {
  if (!state_.empty()) {
    WatchEvent event = std::move(state_.front());
    state_.pop_front();
    co_return event;
  }
  while (true) {
    if (!connection_) HEARTH_CO_CHECK_OK(co_await open());
    auto line = co_await read_line();
    if (line && *line) {
      if (base::trim(**line).empty()) continue;
      auto event = parse_watch_line(type_, **line);
      if (!event) connection_.reset();
      if (event) {
        brought_events_ = true;
        options_.resource_version = event->resource_version;
      }
      co_return event;
    }
    connection_.reset();
    if (!line && line.error().code != Code::kDeadlineExceeded) co_return fail(line.error());
    // The server's time was up, or it went silent: go on from the last version. A server that ends
    // every watch at once must not be asked in a circle.
    const bool lasted = std::chrono::steady_clock::now() - opened_ > kVeryShort;
    if (!lasted && !brought_events_) {
      co_return fail(Code::kUnavailable, "the server ended the watch at once");
    }
    kLog.debug(
        "watch_continues",
        {{"resource", type_.plural}, {"version", options_.resource_version}, {"silent", !line}});
  }
}

}  // namespace hearth::kube_adapter
