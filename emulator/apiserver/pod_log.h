// Logs of pods: GET …/pods/NAME/log.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "platform/async/task.h"
#include "platform/resource/object.h"

namespace hearth::apiserver {

struct Request;

struct LogOptions {
  std::string container;
  bool follow = false;
  bool previous = false;
  bool timestamps = false;
  std::optional<std::int64_t> tail_lines;
  std::optional<std::int64_t> since_seconds;
  std::optional<std::int64_t> limit_bytes;
};

// Sends a pod's log to the sink, piece by piece; ends when the sink fails.
using LogSink = std::function<Task<Status>(std::string_view)>;
using LogReader = std::function<Task<Status>(resource::ObjectPtr pod, LogOptions, LogSink)>;

Task<void> send_pod_log(Request& request);

}  // namespace hearth::apiserver
