#include "kube-adapter/event_sender.h"

#include <fmt/format.h>

#include "platform/async/timer.h"
#include "platform/event/http_binding.h"
#include "platform/telemetry/log.h"

namespace hearth::kube_adapter {
namespace {

constexpr telemetry::Log kLog("events");
constexpr std::size_t kWaitingMax = 1'000;
constexpr int kAttempts = 3;
constexpr std::chrono::milliseconds kFirstDelay{500};

}  // namespace

EventSender::EventSender(async::Loop& loop, http::Client& client, http::Url broker)
    : client_(client), broker_(std::move(broker)), arrived_(loop) {}

void EventSender::send(event::CloudEvent event) {
  if (waiting_.size() >= kWaitingMax) {
    kLog.warn("event_dropped", {{"type", waiting_.front().type}, {"reason", "too many wait"}});
    waiting_.pop_front();
  }
  waiting_.push_back(std::move(event));
  arrived_.notify();
}

Task<void> EventSender::run() {
  while (true) {
    if (waiting_.empty()) {
      if (!co_await arrived_.wait()) co_return;
      continue;
    }
    event::CloudEvent event = std::move(waiting_.front());
    waiting_.pop_front();
    const std::string type = event.type;
    const Status delivered = co_await deliver(std::move(event));
    if (delivered) continue;
    if (delivered.error().code == Code::kCancelled) co_return;
    kLog.warn("event_lost", {{"type", type}, {"error", delivered.error().message}});
  }
}

Task<Status> EventSender::deliver(event::CloudEvent event) {
  http::Headers headers;
  const std::string body = event::encode(event, headers);
  for (int attempt = 1;; ++attempt) {
    auto answer = co_await client_.request("POST", broker_, headers, body,
                                           {.timeout = std::chrono::seconds(10)});
    if (answer && answer->head.status / 100 == 2) co_return Status();
    if (!answer && answer.error().code == Code::kCancelled) co_return fail(answer.error());
    if (attempt == kAttempts) {
      if (!answer) co_return fail(answer.error());
      co_return fail(Code::kUnavailable,
                     fmt::format("the broker answered {}", answer->head.status));
    }
    if (!co_await async::sleep_for(kFirstDelay * attempt)) {
      co_return fail(Code::kCancelled, "sending was cancelled");
    }
  }
}

}  // namespace hearth::kube_adapter
