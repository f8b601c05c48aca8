#include "platform/async/signal.h"

#include <list>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "platform/async/loop.h"

namespace hearth::async {

namespace asio = boost::asio;

struct Signal::State {
  explicit State(asio::io_context& context) : executor(context.get_executor()) {}
  asio::io_context::executor_type executor;
  // One timer a waiter: cancelling it is the wake-up; it also carries the time-out.
  struct Waiter {
    asio::steady_timer timer;
    bool notified = false;
  };
  std::list<Waiter*> waiters;
};

Signal::Signal(Loop& loop) : state_(std::make_shared<State>(loop.context())) {}
Signal::~Signal() { notify(); }

void Signal::notify() {
  for (State::Waiter* waiter : std::exchange(state_->waiters, {})) {
    waiter->notified = true;
    waiter->timer.cancel();
  }
}

Task<bool> Signal::wait() { return wait_for(std::chrono::hours(24 * 365)); }

Task<bool> Signal::wait_for(std::chrono::nanoseconds timeout) {
  const auto state = state_;  // outlives this Signal when it is destroyed while we wait
  State::Waiter waiter{asio::steady_timer(state->executor, timeout)};
  state->waiters.push_back(&waiter);
  co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!waiter.notified) state->waiters.remove(&waiter);
  co_return waiter.notified;
}

}  // namespace hearth::async
