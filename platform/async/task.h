// Task<T>: the coroutine type of the house (Asio's awaitable). Files that only await tasks include
// this header and no other part of Asio.
#pragma once

#include <boost/asio/awaitable.hpp>

namespace hearth {

template <typename T = void>
using Task = boost::asio::awaitable<T>;

}  // namespace hearth
