#include "tests/bench/load/sockets.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth::bench {
namespace {

constexpr std::size_t kHeadBytesMax = 64 * 1024;
constexpr std::size_t kExcerptBytesMax = 512;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool equal_ignoring_case(std::string_view text, std::string_view lower_case) {
  return text.size() == lower_case.size() &&
         std::equal(text.begin(), text.end(), lower_case.begin(),
                    [](char a, char b) { return lower(a) == b; });
}

void make_quick(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

}  // namespace

void die(const std::string& what) {
  fmt::print(stderr, "error: {}\n", what);
  std::exit(1);
}

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void Socket::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

int Socket::release() { return std::exchange(fd_, -1); }

sockaddr_in parse_address(const std::string& text) {
  const auto colon = text.rfind(':');
  sockaddr_in out{};
  out.sin_family = AF_INET;
  int port = 0;
  if (colon != std::string::npos) {
    std::from_chars(text.data() + colon + 1, text.data() + text.size(), port);
  }
  if (port < 0 || port > 65535 || colon == std::string::npos ||
      ::inet_pton(AF_INET, text.substr(0, colon).c_str(), &out.sin_addr) != 1) {
    die(fmt::format("'{}' is no address: use 127.0.0.1:8080", text));
  }
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  return out;
}

Socket connect_to(const sockaddr_in& address) {
  Socket out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!out ||
      ::connect(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    die(fmt::format("connecting to port {}: {}", ntohs(address.sin_port), std::strerror(errno)));
  }
  make_quick(out.get());
  return out;
}

Socket listen_at(const sockaddr_in& address) {
  Socket out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(out.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (!out || ::bind(out.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(out.get(), 1024) != 0) {
    die(fmt::format("listening at port {}: {}", ntohs(address.sin_port), std::strerror(errno)));
  }
  make_quick(out.get());
  return out;
}

Socket accept_from(const Socket& listener) {
  Socket out(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (out) make_quick(out.get());
  return out;
}

Poller::Poller() : handle_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!handle_) die(fmt::format("epoll: {}", std::strerror(errno)));
}

void Poller::add(int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  if (::epoll_ctl(handle_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    die(fmt::format("epoll: {}", std::strerror(errno)));
  }
}

void Poller::change(int fd, std::uint32_t events, std::uint64_t tag) {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  ::epoll_ctl(handle_.get(), EPOLL_CTL_MOD, fd, &event);
}

void MessageReader::reset() {
  state_ = State::kHead;
  head_.clear();
  line_.clear();
  excerpt_.clear();
  left_ = body_bytes_ = 0;
  chunked_ = in_chunk_ = last_chunk_ = false;
}

int MessageReader::status() const {
  int out = 0;
  if (head_.size() > 12) std::from_chars(head_.data() + 9, head_.data() + 12, out);
  return out;
}

std::string_view MessageReader::header(std::string_view name) const {
  std::string_view rest(head_);
  while (!rest.empty()) {
    const auto end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    const auto colon = line.find(':');
    if (colon != line.npos && equal_ignoring_case(line.substr(0, colon), name)) {
      std::string_view value = line.substr(colon + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      return value;
    }
    if (end == rest.npos) break;
    rest.remove_prefix(end + 2);
  }
  return {};
}

void MessageReader::finish_head() {
  state_ = State::kBody;
  const std::string_view length = header("content-length");
  chunked_ = equal_ignoring_case(header("transfer-encoding"), "chunked");
  std::from_chars(length.data(), length.data() + length.size(), left_);
  const int code = request_ ? 0 : status();
  const bool bodyless = code == 204 || code == 304 || (request_ && length.empty());
  if (!chunked_ && !bodyless && length.empty()) state_ = State::kBroken;
  if (!chunked_ && (bodyless || left_ == 0) && state_ != State::kBroken) state_ = State::kDone;
}

void MessageReader::keep(std::string_view bytes) {
  body_bytes_ += bytes.size();
  if (excerpt_.size() < kExcerptBytesMax) {
    excerpt_.append(bytes.substr(0, kExcerptBytesMax - excerpt_.size()));
  }
}

std::size_t MessageReader::feed(std::string_view bytes) {
  std::size_t used = 0;
  if (state_ == State::kHead) {
    const std::size_t before = head_.size();
    head_.append(bytes.substr(0, kHeadBytesMax));
    const auto end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    if (end == head_.npos) {
      if (head_.size() >= kHeadBytesMax) state_ = State::kBroken;
      return bytes.size();
    }
    used = end + 4 - before;
    head_.resize(end + 2);
    finish_head();
  }
  while (state_ == State::kBody && used < bytes.size()) {
    if (chunked_) {
      used += feed_chunked(bytes.substr(used));
      continue;
    }
    const auto take = std::min<std::uint64_t>(left_, bytes.size() - used);
    keep(bytes.substr(used, take));
    used += take;
    left_ -= take;
    if (left_ == 0) state_ = State::kDone;
  }
  return used;
}

std::size_t MessageReader::feed_chunked(std::string_view bytes) {
  if (in_chunk_) {
    const auto take = std::min<std::uint64_t>(left_, bytes.size());
    keep(bytes.substr(0, take));
    left_ -= take;
    if (left_ == 0) in_chunk_ = false;
    return take;
  }
  // Lines between the data: a size, the empty line after a chunk, the trailer.
  const auto newline = bytes.find('\n');
  line_.append(bytes.substr(0, newline));
  if (newline == bytes.npos) return bytes.size();
  if (line_.ends_with('\r')) line_.pop_back();
  if (last_chunk_) {
    if (line_.empty()) state_ = State::kDone;
  } else if (!line_.empty()) {
    if (std::from_chars(line_.data(), line_.data() + line_.size(), left_, 16).ec != std::errc{}) {
      state_ = State::kBroken;
    }
    in_chunk_ = left_ > 0;
    last_chunk_ = left_ == 0;
  }
  line_.clear();
  return newline + 1;
}

}  // namespace hearth::bench
