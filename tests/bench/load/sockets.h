// Sockets and the HTTP/1.1 reading that the load generators share: as little as a client needs that
// knows its servers. One thread, epoll, level-triggered.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <netinet/in.h>

namespace hearth::bench {

// Ends the program with a message: a load generator that can't work has nothing else to do.
[[noreturn]] void die(const std::string& what);

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept;
  ~Socket() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int release();

  int fd_ = -1;
};

// "127.0.0.1:8080"; dies when it is none.
sockaddr_in parse_address(const std::string& text);
// Connected, non-blocking, no delay. Waits for the connection.
Socket connect_to(const sockaddr_in& address);
Socket listen_at(const sockaddr_in& address);
Socket accept_from(const Socket& listener);

// A poller of file descriptors; `tag` comes back with the event.
class Poller {
 public:
  Poller();
  void add(int fd, std::uint32_t events, std::uint64_t tag);
  void change(int fd, std::uint32_t events, std::uint64_t tag);
  const Socket& handle() const { return handle_; }

 private:
  Socket handle_;
};

// How much of an HTTP/1.1 message has come. Fed with pieces, keeps the head only.
class MessageReader {
 public:
  enum class State { kHead, kBody, kDone, kBroken };

  // `request`: the message is a request, so that no length means no body.
  explicit MessageReader(bool request) : request_(request) {}

  // Takes bytes up to the message's end; returns how many. `no_body`: the answer to HEAD.
  std::size_t feed(std::string_view bytes);
  void reset();

  State state() const { return state_; }
  std::string_view head() const { return head_; }
  // Of a response: its status.
  int status() const;
  // The value of a header, "" when there is none. The name in lower case.
  std::string_view header(std::string_view name) const;
  std::uint64_t body_bytes() const { return body_bytes_; }
  // The first bytes of the body, for messages.
  const std::string& excerpt() const { return excerpt_; }

 private:
  void finish_head();
  std::size_t feed_chunked(std::string_view bytes);
  void keep(std::string_view bytes);

  bool request_;
  State state_ = State::kHead;
  std::string head_;
  std::uint64_t left_ = 0;
  bool chunked_ = false;
  bool in_chunk_ = false;
  bool last_chunk_ = false;
  std::string line_;
  std::uint64_t body_bytes_ = 0;
  std::string excerpt_;
};

}  // namespace hearth::bench
