#include "platform/async/blocking.h"

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

namespace hearth::async {

struct BlockingPool::State {
  explicit State(std::size_t threads) : pool(threads) {}
  boost::asio::thread_pool pool;
};

BlockingPool::BlockingPool(std::size_t threads) : state_(std::make_unique<State>(threads)) {}

BlockingPool::~BlockingPool() {
  state_->pool.stop();
  state_->pool.join();
}

void BlockingPool::submit(std::move_only_function<void()> work) {
  boost::asio::post(state_->pool, [work = std::move(work)]() mutable { work(); });
}

}  // namespace hearth::async
