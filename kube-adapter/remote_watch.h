// One watch on a cluster: lines of JSON as they come, over as many connections as it takes.
//
// A connection that the server ends in its time, or that is silent for too long, is opened again
// from the last version (events and bookmarks carry it). One that breaks ends next() with
// kUnavailable, history that is gone with kExpired: the informer decides how to go on.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "kube-adapter/api_client.h"
#include "platform/resource/store.h"

namespace hearth::kube_adapter {

// One line of a watch. kExpired, kRateLimited, …: an ERROR event. kUnavailable: not an event.
Result<resource::WatchEvent> parse_watch_line(const resource::Type& type, const std::string& line);

// The object as the house has it: with apiVersion and kind (lists of built-in kinds lack them),
// without managedFields (large, and nobody here reads them). kCorrupt when it is no object.
Result<resource::ObjectPtr> received_object(const resource::Type& type, Json object);

class RemoteWatch final : public resource::Watch {
 public:
  // Events of `options` after its version; `state` comes first. `client` outlives the watch.
  RemoteWatch(ApiClient& client, resource::Type type, resource::WatchOptions options,
              std::deque<resource::WatchEvent> state);

  Task<Result<resource::WatchEvent>> next() override;
  std::uint64_t version() const override { return options_.resource_version; }

 private:
  Task<Status> open();
  // A line; nullopt when the stream ended where a line did.
  Task<Result<std::optional<std::string>>> read_line();
  std::string target() const;

  ApiClient& client_;
  resource::Type type_;
  resource::WatchOptions options_;
  std::deque<resource::WatchEvent> state_;
  std::unique_ptr<http::ClientConnection> connection_;
  std::chrono::steady_clock::time_point opened_;
  bool brought_events_ = false;
  std::string buffer_;
  std::size_t searched_ = 0;
};

}  // namespace hearth::kube_adapter
