// DeliverySpec as a value and the decisions that follow from it, as pure functions.
#pragma once

#include <chrono>
#include <optional>

#include "platform/base/clock.h"
#include "platform/base/json.h"
#include "platform/http/message.h"

namespace hearth::eventing {

enum class Backoff { kLinear, kExponential };
enum class Format { kBinary, kStructured };

struct DeliveryPolicy {
  int retry = 3;  // attempts after the first
  Backoff backoff = Backoff::kExponential;
  std::chrono::nanoseconds delay = std::chrono::milliseconds(200);
  std::optional<std::chrono::nanoseconds> delay_max;
  std::optional<std::chrono::nanoseconds> timeout;
  // Retry-After counts only when this is set and not zero.
  std::optional<std::chrono::nanoseconds> retry_after_max;
  Format format = Format::kBinary;

  bool operator==(const DeliveryPolicy&) const = default;
};

// Null: the policy above, which is what holds when neither the Trigger nor its Broker has a
// `delivery`. A `delivery` that is there replaces all of it: a retry it does not name is 0, a delay
// it does not name is none. kInvalid names the field.
Result<DeliveryPolicy> parse_delivery(const Json* delivery);

// The wait before retry k = 1, 2, …: exponential d·2^(k-1), linear k·d, at most the cap; or what
// Retry-After asks for, when that counts and is longer.
std::chrono::nanoseconds wait_before_retry(const DeliveryPolicy& policy, int k,
                                           std::chrono::nanoseconds cap,
                                           std::optional<std::chrono::nanoseconds> retry_after);

// 5xx, 404, 408, 409, 429; every other failure goes to the dead letters at once, redirects too.
bool is_retryable(int status);

// Of a 429 or 503: seconds or an HTTP date.
std::optional<std::chrono::nanoseconds> retry_after_of(const http::ResponseHead& head,
                                                       base::WallTime now);

}  // namespace hearth::eventing
