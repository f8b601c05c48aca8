// A Kubernetes API's answers as errors of the house: the counterpart of the apiserver's own table.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "platform/base/json.h"

namespace hearth::kube_adapter {

// An answer that is no success.
struct Failure {
  int status = 0;  // 0: there was no answer
  Error error;
  std::optional<std::chrono::seconds> retry_after;
};

// From status and body: a Status object, or whatever a proxy in between wrote (shortened).
// `retry_after` is the header's text, may be empty; without it the Status' own hint counts.
Failure failure_of(int http_status, std::string_view body, std::string_view retry_after);

// From a Status object, as it also comes as an ERROR event of a watch.
Error error_of_status(const Json& status);

}  // namespace hearth::kube_adapter
