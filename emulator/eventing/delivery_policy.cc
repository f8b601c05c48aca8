#include "emulator/eventing/delivery_policy.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "platform/base/quantity.h"
#include "platform/base/text.h"

namespace hearth::eventing {
namespace {

using std::chrono::nanoseconds;

Error field_error(std::string_view field, std::string_view problem) {
  return {Code::kInvalid,
          fmt::format("spec.delivery.{}: {}", field, problem),
          {{fmt::format("spec.delivery.{}", field), "FieldValueInvalid", std::string(problem)}}};
}

Result<std::optional<nanoseconds>> duration_at(const Json& delivery, std::string_view field) {
  const std::string text = base::string_at(delivery, {field});
  if (text.empty()) return std::nullopt;
  const auto duration = base::parse_iso_duration(text);
  if (!duration || *duration < nanoseconds(0)) {
    return fail(field_error(field, fmt::format("\"{}\" is no ISO 8601 duration", text)));
  }
  return duration;
}

}  // namespace

Result<DeliveryPolicy> parse_delivery(const Json* delivery) {
  DeliveryPolicy policy;
  if (delivery == nullptr || !delivery->is_object()) return policy;
  const auto retry = base::int_at(*delivery, {"retry"}).value_or(0);
  if (retry < 0 || retry > INT32_MAX) return fail(field_error("retry", "is out of range"));
  policy.retry = static_cast<int>(retry);
  const std::string backoff = base::string_at(*delivery, {"backoffPolicy"}, "exponential");
  if (backoff != "linear" && backoff != "exponential") {
    return fail(field_error("backoffPolicy", "is neither linear nor exponential"));
  }
  policy.backoff = backoff == "linear" ? Backoff::kLinear : Backoff::kExponential;
  HEARTH_TRY(delay, duration_at(*delivery, "backoffDelay"));
  policy.delay = delay.value_or(nanoseconds(0));
  HEARTH_TRY(delay_max, duration_at(*delivery, "backoffMax"));
  policy.delay_max = delay_max;
  HEARTH_TRY(timeout, duration_at(*delivery, "timeout"));
  if (timeout && timeout->count() == 0) return fail(field_error("timeout", "must be more than 0"));
  policy.timeout = timeout;
  HEARTH_TRY(retry_after_max, duration_at(*delivery, "retryAfterMax"));
  policy.retry_after_max = retry_after_max;
  const std::string format = base::string_at(*delivery, {"format"}, "binary");
  if (format != "binary" && format != "json") {
    return fail(field_error("format", "is neither binary nor json"));
  }
  policy.format = format == "json" ? Format::kStructured : Format::kBinary;
  return policy;
}

nanoseconds wait_before_retry(const DeliveryPolicy& policy, int k, nanoseconds cap,
                              std::optional<nanoseconds> retry_after) {
  const nanoseconds most = policy.delay_max.value_or(cap);
  // In floating point, because 2^(k-1) leaves every integer behind.
  const double factor = policy.backoff == Backoff::kLinear ? static_cast<double>(k)
                                                           : std::ldexp(1.0, std::min(k - 1, 1000));
  const double wanted = static_cast<double>(policy.delay.count()) * factor;
  const nanoseconds wait = wanted < static_cast<double>(most.count())
                               ? nanoseconds(static_cast<std::int64_t>(wanted))
                               : most;
  if (!retry_after || !policy.retry_after_max || policy.retry_after_max->count() == 0) return wait;
  return std::max(wait, std::min(*retry_after, *policy.retry_after_max));
}

bool is_retryable(int status) {
  return status >= 500 || status == 404 || status == 408 || status == 409 || status == 429;
}

std::optional<nanoseconds> retry_after_of(const http::ResponseHead& head, base::WallTime now) {
  if (head.status != 429 && head.status != 503) return std::nullopt;
  const auto text = head.headers.get("retry-after");
  if (!text) return std::nullopt;
  if (const auto seconds = base::parse_int<std::uint32_t>(base::trim(*text))) {
    return std::chrono::seconds(*seconds);
  }
  const auto date = base::parse_http_date(*text);
  if (!date) return std::nullopt;
  return std::max(*date - now, nanoseconds(0));
}

}  // namespace hearth::eventing
