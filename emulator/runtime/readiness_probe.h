// Is an instance that speaks HTTP ready? One attempt of a readiness probe, as the kubelet makes it.
#pragma once

#include <cstdint>
#include <string>

#include "platform/async/task.h"
#include "platform/base/result.h"

namespace hearth::async {
class Loop;
}

namespace hearth::runtime {

struct ReadinessProbe {
  std::string
      path;  // of an HTTP GET that must answer 200 to 399; empty: a TCP connection is enough
  std::string host_header = "localhost";
};

// The error says what was asked and what came.
Task<Status> probe_once(async::Loop& loop, std::string host, std::uint16_t port,
                        ReadinessProbe probe);

}  // namespace hearth::runtime
