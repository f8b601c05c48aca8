// Bridges a callback to a task: co_await completion<T>([&](Resolve<T> resolve) { … });
//
// `resolve` may be called once, from any thread; the awaiting task goes on on its own loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "platform/async/task.h"

namespace hearth::async {

template <typename T>
using Resolve = std::move_only_function<void(T)>;

template <typename T, typename Start>
Task<T> completion(Start start) {
  // The value travels beside the handler: Asio default-constructs awaited results.
  auto slot = std::make_shared<std::optional<T>>();
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
      [&start, slot](auto handler) {
        auto executor = boost::asio::get_associated_executor(handler);
        auto guard = boost::asio::make_work_guard(executor);
        start(Resolve<T>([slot, executor, guard = std::move(guard),
                          handler = std::move(handler)](T value) mutable {
          slot->emplace(std::move(value));
          boost::asio::post(executor, std::move(handler));
        }));
      },
      boost::asio::use_awaitable);
  co_return std::move(**slot);
}

}  // namespace hearth::async
