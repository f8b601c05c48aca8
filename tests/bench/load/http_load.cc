// hearth_bench_http: a closed-loop HTTP/1.1 load on keep-alive connections, from one thread.
//
//   hearth_bench_http --address 127.0.0.1:8080 --connections 64 --seconds 5 --heads FILE
//
// FILE holds request heads separated by a line "--", without the empty line at the end. They are
// used in turn; "{n}" in one becomes the request's number, twelve digits wide. A body of
// --body-bytes follows each, "Content-Length" is the head's own business. Prints one JSON object.
#include <charconv>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "tests/bench/load/latencies.h"
#include "tests/bench/load/sockets.h"

namespace hearth::bench {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::string_view kNumberMark = "{n}";

struct Options {
  std::string address;
  std::string heads_file;
  std::string body_file;
  std::size_t connections = 1;
  std::size_t body_bytes = 0;
  double seconds = 0;
  std::uint64_t requests = 0;
  double timeout_seconds = 60;
};

struct Connection {
  Socket socket;
  MessageReader reader{false};
  std::string head;
  std::size_t head_sent = 0;
  std::size_t body_sent = 0;
  bool waiting = false;  // a request is under way
  bool polls_for_writing = false;
  MonotonicClock::time_point started{};
};

std::vector<std::string> read_heads(const std::string& path) {
  std::ifstream in(path);
  if (!in) die("can't read " + path);
  std::vector<std::string> out(1);
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    if (line == "--")
      out.emplace_back();
    else if (!line.empty())
      out.back() += line + "\r\n";
  }
  std::erase_if(out, [](const std::string& head) { return head.empty(); });
  if (out.empty()) die(path + " has no request");
  return out;
}

class Load {
 public:
  explicit Load(Options options);
  void run();
  void print();

 private:
  void begin(std::size_t index);
  void write(std::size_t index);
  void read(std::size_t index);
  void finish(std::size_t index);
  void fail(std::size_t index, const std::string& why);
  void reconnect(std::size_t index);
  bool may_begin() const;

  Options options_;
  sockaddr_in address_;
  std::vector<std::string> heads_;
  std::string body_;
  std::string buffer_;
  Poller poller_;
  std::vector<Connection> connections_;
  Latencies latencies_;
  std::map<int, std::uint64_t> statuses_;
  std::set<std::string> answers_;
  std::string first_error_;
  std::uint64_t begun_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t body_bytes_ = 0;
  std::size_t under_way_ = 0;
  bool ending_ = false;
  MonotonicClock::time_point start_{};
  MonotonicClock::time_point end_{};
};

Load::Load(Options options)
    : options_(std::move(options)),
      address_(parse_address(options_.address)),
      heads_(read_heads(options_.heads_file)),
      body_(options_.body_bytes, 'x'),
      buffer_(kReadBytes, '\0'),
      connections_(options_.connections) {
  if (!options_.body_file.empty()) {
    std::ifstream in(options_.body_file, std::ios::binary);
    if (!in) die("can't read " + options_.body_file);
    body_.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    connections_[i].socket = connect_to(address_);
    poller_.add(connections_[i].socket.get(), EPOLLIN, i);
  }
}

bool Load::may_begin() const {
  return !ending_ && (options_.requests == 0 || begun_ < options_.requests);
}

void Load::begin(std::size_t index) {
  Connection& connection = connections_[index];
  connection.head = heads_[begun_ % heads_.size()];
  const std::string number = fmt::format("{:012}", begun_);
  for (auto at = connection.head.find(kNumberMark); at != std::string::npos;
       at = connection.head.find(kNumberMark, at)) {
    connection.head.replace(at, kNumberMark.size(), number);
  }
  connection.head += "\r\n";
  // One packet for what is small.
  if (body_.size() <= 16 * 1024) connection.head += body_;
  connection.head_sent = 0;
  connection.body_sent = body_.size() <= 16 * 1024 ? body_.size() : 0;
  connection.reader.reset();
  connection.waiting = true;
  connection.started = MonotonicClock::now();
  ++begun_;
  ++under_way_;
  write(index);
}

void Load::write(std::size_t index) {
  Connection& connection = connections_[index];
  bool blocked = false;
  const auto send_from = [&](const std::string& bytes, std::size_t& sent) {
    while (sent < bytes.size() && !blocked) {
      const ssize_t n =
          ::send(connection.socket.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n > 0)
        sent += static_cast<std::size_t>(n);
      else
        blocked = true;
    }
  };
  send_from(connection.head, connection.head_sent);
  send_from(body_, connection.body_sent);
  if (blocked != connection.polls_for_writing) {
    connection.polls_for_writing = blocked;
    poller_.change(connection.socket.get(), blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, index);
  }
}

void Load::read(std::size_t index) {
  Connection& connection = connections_[index];
  const ssize_t n = ::recv(connection.socket.get(), buffer_.data(), buffer_.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return fail(index, "the connection ended");
  connection.reader.feed(std::string_view(buffer_.data(), static_cast<std::size_t>(n)));
  if (connection.reader.state() == MessageReader::State::kBroken) {
    return fail(index, "no HTTP answer");
  }
  if (connection.reader.state() == MessageReader::State::kDone) finish(index);
}

void Load::finish(std::size_t index) {
  Connection& connection = connections_[index];
  const auto now = MonotonicClock::now();
  latencies_.add(micros_between(connection.started, now));
  const int status = connection.reader.status();
  ++statuses_[status];
  ++done_;
  --under_way_;
  body_bytes_ += connection.reader.body_bytes();
  if (status >= 400) {
    ++failed_;
    if (first_error_.empty()) {
      first_error_ = fmt::format("{}: {}", status, connection.reader.excerpt());
    }
  } else if (answers_.size() < 1'000) {
    answers_.insert(connection.reader.excerpt());
  }
  connection.waiting = false;
  end_ = now;
  if (connection.reader.header("connection") == "close") reconnect(index);
  if (may_begin()) begin(index);
}

void Load::fail(std::size_t index, const std::string& why) {
  Connection& connection = connections_[index];
  if (connection.waiting) {
    ++failed_;
    --under_way_;
    connection.waiting = false;
    if (first_error_.empty()) first_error_ = why;
    end_ = MonotonicClock::now();
  }
  reconnect(index);
  if (may_begin()) begin(index);
}

void Load::reconnect(std::size_t index) {
  connections_[index].socket = connect_to(address_);
  connections_[index].polls_for_writing = false;
  poller_.add(connections_[index].socket.get(), EPOLLIN, index);
}

void Load::run() {
  using Seconds = std::chrono::duration<double>;
  start_ = end_ = MonotonicClock::now();
  for (std::size_t i = 0; i < connections_.size() && may_begin(); ++i) begin(i);
  std::vector<epoll_event> events(256);
  while (under_way_ > 0) {
    const int n =
        ::epoll_wait(poller_.handle().get(), events.data(), static_cast<int>(events.size()), 100);
    for (const epoll_event& event : std::span(events).first(n < 0 ? 0 : n)) {
      const auto index = static_cast<std::size_t>(event.data.u64);
      if ((event.events & EPOLLOUT) != 0) write(index);
      if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read(index);
    }
    const double spent = Seconds(MonotonicClock::now() - start_).count();
    if (options_.seconds > 0 && spent >= options_.seconds) ending_ = true;
    if (spent > options_.seconds + options_.timeout_seconds) {
      if (first_error_.empty()) first_error_ = "timed out";
      failed_ += under_way_;
      break;
    }
  }
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out;
}

void Load::print() {
  const double seconds = std::max(1e-9, micros_between(start_, end_) / 1e6);
  std::string statuses;
  for (const auto& [status, count] : statuses_) {
    statuses += fmt::format("{}\"{}\":{}", statuses.empty() ? "" : ",", status, count);
  }
  fmt::print(R"({{"requests":{},"failed":{},"seconds":{:.6f},"rate":{:.1f},"body_bytes":{},)"
             R"("distinct_answers":{},"statuses":{{{}}},"first_error":"{}",{}}})"
             "\n",
             done_, failed_, seconds, static_cast<double>(done_) / seconds, body_bytes_,
             answers_.size(), statuses, escaped(first_error_), latencies_.json());
}

}  // namespace
}  // namespace hearth::bench

int main(int argc, char** argv) {
  hearth::bench::Options options;
  CLI::App app("closed-loop HTTP load");
  app.add_option("--address", options.address)->required();
  app.add_option("--heads", options.heads_file)->required();
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 10'000));
  app.add_option("--seconds", options.seconds);
  app.add_option("--requests", options.requests);
  app.add_option("--timeout", options.timeout_seconds);
  auto* bytes = app.add_option("--body-bytes", options.body_bytes);
  app.add_option("--body-file", options.body_file)->excludes(bytes);
  CLI11_PARSE(app, argc, argv);
  if (options.seconds <= 0 && options.requests == 0) {
    hearth::bench::die("say how much: --seconds or --requests");
  }
  hearth::bench::Load load(options);
  load.run();
  load.print();
}
