#include "platform/async/loop.h"

#include <cstdlib>
#include <exception>
#include <future>
#include <iostream>
#include <thread>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <pthread.h>

namespace hearth::async {

namespace asio = boost::asio;

struct Loop::State {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::thread thread;
};

namespace {

void end_on_exception(std::exception_ptr error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    std::cerr << "fatal: an exception left a task: " << e.what() << std::endl;
  }
  std::abort();
}

}  // namespace

Loop::Loop(std::string name) : name_(std::move(name)), state_(std::make_unique<State>()) {}

Loop::~Loop() {
  stop();
  if (state_->thread.joinable()) state_->thread.join();
}

void Loop::run() { state_->context.run(); }

void Loop::start() {
  state_->thread = std::thread([this] {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    run();
  });
}

void Loop::stop() { state_->context.stop(); }

void Loop::post(std::move_only_function<void()> work) {
  asio::post(state_->context, [work = std::move(work)]() mutable { work(); });
}

void Loop::spawn(Task<void> task) {
  asio::co_spawn(state_->context, std::move(task), end_on_exception);
}

void Loop::run_blocking(Task<void> task) {
  std::promise<void> done;
  asio::co_spawn(state_->context, std::move(task), [&done](std::exception_ptr error) {
    if (error)
      done.set_exception(error);
    else
      done.set_value();
  });
  done.get_future().get();
}

bool Loop::is_current() const { return state_->context.get_executor().running_in_this_thread(); }

asio::io_context& Loop::context() { return state_->context; }

}  // namespace hearth::async
