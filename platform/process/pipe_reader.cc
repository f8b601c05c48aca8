#include "platform/process/pipe_reader.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "platform/async/loop.h"

namespace hearth::process {

namespace asio = boost::asio;

struct PipeReader::State {
  State(asio::io_context& context, int fd) : descriptor(context, fd) {
    boost::system::error_code ignored;
    descriptor.non_blocking(true, ignored);
  }
  asio::posix::stream_descriptor descriptor;
};

PipeReader::PipeReader(async::Loop& loop, base::UniqueFd fd)
    : state_(std::make_unique<State>(loop.context(), fd.release())) {}
PipeReader::~PipeReader() = default;

Task<Result<std::size_t>> PipeReader::read_some(char* data, std::size_t size) {
  auto [error, got] = co_await state_->descriptor.async_read_some(
      asio::buffer(data, size), asio::as_tuple(asio::use_awaitable));
  if (error == asio::error::eof) co_return std::size_t{0};
  if (error == asio::error::operation_aborted) co_return fail(Code::kCancelled, "read cancelled");
  if (error) co_return fail(Code::kUnavailable, "reading a pipe: " + error.message());
  co_return got;
}

Task<bool> PipeReader::wait_readable() {
  const auto [error] = co_await state_->descriptor.async_wait(
      asio::posix::stream_descriptor::wait_read, asio::as_tuple(asio::use_awaitable));
  co_return !error;
}

int PipeReader::fd() const { return state_->descriptor.native_handle(); }

}  // namespace hearth::process
