// Log streams of pods on standard output: one after the other, or all at once while they grow.
#pragma once

#include <string>

#include "cli/api_client.h"

namespace hearth::cli {

struct PodLogOptions {
  std::string ns;
  std::string selector;
  std::string container;
  std::string tail;           // lines; empty: all
  std::string since_seconds;  // empty: all
  bool prefix = false;        // every line begins with its pod, even when there is one only
  bool timestamps = false;
};

// What there is now. Returns the number of pods.
Result<std::size_t> print_pod_logs(ApiClient& api, const PodLogOptions& options);

// Follows the pods that there are and those that come. Ends when `until_all_ended` and the last one
// has ended, else never.
Status follow_pod_logs(const Daemon& daemon, PodLogOptions options, bool until_all_ended);

}  // namespace hearth::cli
