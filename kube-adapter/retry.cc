#include "kube-adapter/retry.h"

namespace hearth::kube_adapter {
namespace {

using std::chrono::milliseconds;

constexpr int kAttemptsMax = 4;
// A server that asks for more patience gets it from the controller's own back-off.
constexpr std::chrono::seconds kRetryAfterMax{30};
constexpr milliseconds kFirstDelay{200};

}  // namespace

std::optional<milliseconds> retry_delay(const Failure& failure, Repeat repeat, int attempt,
                                        double jitter) {
  if (attempt + 1 >= kAttemptsMax) return std::nullopt;
  // 429: the server did nothing but count us.
  const bool untouched = failure.status == 429;
  const bool server_fault = failure.status == 0 || failure.status >= 500;
  const bool uncertain_allowed = server_fault && repeat == Repeat::kAllowed;
  if (!untouched && !uncertain_allowed) return std::nullopt;
  if (failure.error.code == Code::kCancelled || failure.error.code == Code::kExpired ||
      failure.error.code == Code::kTooLarge) {
    return std::nullopt;
  }
  // A server that was slow once is slow twice: the caller's time is up.
  if (failure.status == 0 && failure.error.code == Code::kDeadlineExceeded) return std::nullopt;
  if (failure.retry_after) {
    if (*failure.retry_after > kRetryAfterMax) return std::nullopt;
    return milliseconds(*failure.retry_after) +
           milliseconds(static_cast<std::int64_t>(jitter * 500));
  }
  if (untouched) return std::nullopt;
  const milliseconds delay = kFirstDelay * (1 << (2 * attempt));
  return delay +
         milliseconds(static_cast<std::int64_t>(jitter * static_cast<double>(delay.count())));
}

}  // namespace hearth::kube_adapter
