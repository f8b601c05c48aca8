// A task with a time limit.
#pragma once

#include <chrono>
#include <optional>
#include <utility>
#include <variant>

#include <boost/asio/experimental/awaitable_operators.hpp>

#include "platform/async/task.h"
#include "platform/async/timer.h"

namespace hearth::async {

// The task's value, or nullopt when it did not end within `limit`; it is cancelled then and has
// ended when this returns. The task must end soon when its wait is cancelled.
template <typename T>
Task<std::optional<T>> with_deadline(Task<T> task, std::chrono::nanoseconds limit) {
  using namespace boost::asio::experimental::awaitable_operators;
  auto outcome = co_await (std::move(task) || sleep_for(limit));
  if (outcome.index() == 0) co_return std::move(std::get<0>(outcome));
  co_return std::nullopt;
}

}  // namespace hearth::async
