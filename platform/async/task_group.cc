#include "platform/async/task_group.h"

#include <exception>
#include <iostream>
#include <list>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>

#include "platform/async/loop.h"
#include "platform/async/signal.h"

namespace hearth::async {

namespace asio = boost::asio;

struct TaskGroup::State {
  explicit State(Loop& owner) : loop(owner), ended(owner) {}
  Loop& loop;
  Signal ended;
  std::list<asio::cancellation_signal> running;
  bool cancelled = false;
};

namespace {

void report(const std::exception_ptr& error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    // A cancelled task that went on to another wait: Asio ends it this way.
    if (e.code() != asio::error::operation_aborted) {
      std::cerr << "bug: an exception left a task: " << e.what() << std::endl;
    }
  } catch (const std::exception& e) {
    std::cerr << "bug: an exception left a task: " << e.what() << std::endl;
  }
}

}  // namespace

TaskGroup::TaskGroup(Loop& loop) : state_(std::make_shared<State>(loop)) {}
TaskGroup::~TaskGroup() = default;

void TaskGroup::spawn(Task<void> task) {
  if (state_->cancelled) return;
  auto& signal = state_->running.emplace_back();
  const auto position = std::prev(state_->running.end());
  asio::co_spawn(state_->loop.context(), std::move(task),
                 asio::bind_cancellation_slot(
                     signal.slot(), [state = state_, position](const std::exception_ptr& error) {
                       report(error);
                       state->running.erase(position);
                       state->ended.notify();
                     }));
}

void TaskGroup::cancel() {
  state_->cancelled = true;
  // emit() may end a task at once and so erase its list node.
  for (auto it = state_->running.begin(); it != state_->running.end();) {
    (it++)->emit(asio::cancellation_type::all);
  }
}

Task<void> TaskGroup::drain() {
  const auto state = state_;
  while (!state->running.empty()) co_await state->ended.wait();
}

std::size_t TaskGroup::size() const { return state_->running.size(); }

}  // namespace hearth::async
