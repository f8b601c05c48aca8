// hearth_bench_events: CloudEvents into a broker and out of it again, in one process: producers on
// keep-alive connections and the sink that the broker's trigger delivers to. One clock for both, so
// that the time from acceptance to delivery can be told.
//
//   hearth_bench_events --broker 127.0.0.1:8080 --path /default/bench --sink 127.0.0.1:9999
//       --events 200000 --connections 64 --window 512 [--batch 32]
//
// At most --window events are sent and not delivered: what is measured is what broker and sink keep
// up with. Ends when all are delivered; prints one JSON object.
#include <charconv>
#include <map>
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

constexpr std::uint64_t kListenerTag = 1ULL << 62;
constexpr std::uint64_t kSinkTag = 1ULL << 61;
constexpr std::string_view kIdPrefix = "bench-";
constexpr std::string_view kNoContent = "HTTP/1.1 204 No Content\r\n\r\n";

struct Options {
  std::string broker;
  std::string path;
  std::string sink;
  std::size_t connections = 64;
  std::uint64_t events = 100'000;
  std::uint64_t window = 512;
  std::uint64_t batch = 1;
  std::size_t data_bytes = 256;
  double timeout_seconds = 60;
  bool deliver = true;
};

struct Producer {
  Socket socket;
  MessageReader reader{false};
  std::string request;
  std::size_t sent = 0;
  std::uint64_t first = 0;  // number of the first event in the request
  std::uint64_t count = 0;  // 0: nothing under way
};

struct Delivery {
  Socket socket;
  MessageReader reader{true};
  std::string answer;
};

class EventLoad {
 public:
  explicit EventLoad(Options options);
  void run();
  void print();

 private:
  void produce();
  void begin(std::size_t index);
  void write_request(Producer& producer);
  void read_answer(std::size_t index);
  void accept_delivery();
  void read_delivery(std::size_t index);
  void count_delivery(std::string_view id);
  std::string request_for(std::uint64_t first, std::uint64_t count) const;
  std::uint64_t settled() const { return options_.deliver ? delivered_ : accepted_; }

  Options options_;
  std::string data_;
  std::string buffer_;
  Poller poller_;
  Socket listener_;
  std::vector<Producer> producers_;
  std::vector<std::size_t> idle_;
  std::vector<Delivery> deliveries_;
  std::vector<MonotonicClock::time_point> sent_at_;
  std::vector<MonotonicClock::time_point> accepted_at_;
  std::vector<MonotonicClock::time_point> delivered_at_;
  Latencies accept_;
  std::map<int, std::uint64_t> statuses_;
  std::string first_error_;
  std::uint64_t next_ = 0;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint64_t repeated_ = 0;
  MonotonicClock::time_point start_{};
  MonotonicClock::time_point last_accepted_{};
  MonotonicClock::time_point last_delivered_{};
};

EventLoad::EventLoad(Options options)
    : options_(std::move(options)),
      data_(options_.data_bytes, 'x'),
      buffer_(256 * 1024, '\0'),
      producers_(options_.connections),
      sent_at_(options_.events),
      accepted_at_(options_.events),
      delivered_at_(options_.events) {
  if (options_.deliver) {
    listener_ = listen_at(parse_address(options_.sink));
    poller_.add(listener_.get(), EPOLLIN, kListenerTag);
  }
  const auto broker = parse_address(options_.broker);
  for (std::size_t i = 0; i < producers_.size(); ++i) {
    producers_[i].socket = connect_to(broker);
    poller_.add(producers_[i].socket.get(), EPOLLIN, i);
    idle_.push_back(i);
  }
}

std::string EventLoad::request_for(std::uint64_t first, std::uint64_t count) const {
  const std::string start =
      fmt::format("POST {} HTTP/1.1\r\nHost: {}\r\n", options_.path, options_.broker);
  if (options_.batch == 1) {
    return fmt::format(
        "{}ce-specversion: 1.0\r\nce-id: {}{}\r\nce-type: bench.event\r\nce-source: /bench\r\n"
        "Content-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n{}",
        start, kIdPrefix, first, data_.size(), data_);
  }
  std::string body = "[";
  for (std::uint64_t i = first; i < first + count; ++i) {
    body +=
        fmt::format(R"({}{{"specversion":"1.0","id":"{}{}","type":"bench.event","source":"/bench",)"
                    R"("datacontenttype":"text/plain","data":"{}"}})",
                    i == first ? "" : ",", kIdPrefix, i, data_);
  }
  body += "]";
  return fmt::format(
      "{}Content-Type: application/cloudevents-batch+json\r\nContent-Length: {}\r\n\r\n{}", start,
      body.size(), body);
}

void EventLoad::produce() {
  while (!idle_.empty() && next_ < options_.events &&
         next_ - settled() - refused_ + options_.batch <= options_.window) {
    const std::size_t index = idle_.back();
    idle_.pop_back();
    begin(index);
  }
}

void EventLoad::begin(std::size_t index) {
  Producer& producer = producers_[index];
  producer.first = next_;
  producer.count = std::min(options_.batch, options_.events - next_);
  next_ += producer.count;
  producer.request = request_for(producer.first, producer.count);
  producer.sent = 0;
  producer.reader.reset();
  const auto now = MonotonicClock::now();
  for (std::uint64_t i = 0; i < producer.count; ++i) sent_at_[producer.first + i] = now;
  write_request(producer);
}

void EventLoad::write_request(Producer& producer) {
  // A request is far smaller than a socket's buffer, and one a connection is under way.
  while (producer.sent < producer.request.size()) {
    const ssize_t n = ::send(producer.socket.get(), producer.request.data() + producer.sent,
                             producer.request.size() - producer.sent, MSG_NOSIGNAL);
    if (n <= 0) die("the broker's connection does not take a whole request");
    producer.sent += static_cast<std::size_t>(n);
  }
}

void EventLoad::read_answer(std::size_t index) {
  Producer& producer = producers_[index];
  const ssize_t n = ::recv(producer.socket.get(), buffer_.data(), buffer_.size(), 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) die("the broker closed a connection");
  producer.reader.feed(std::string_view(buffer_.data(), static_cast<std::size_t>(n)));
  if (producer.reader.state() != MessageReader::State::kDone) return;
  const auto now = MonotonicClock::now();
  const int status = producer.reader.status();
  ++statuses_[status];
  if (status / 100 == 2) {
    accepted_ += producer.count;
    last_accepted_ = now;
    accept_.add(micros_between(sent_at_[producer.first], now));
    for (std::uint64_t i = 0; i < producer.count; ++i) accepted_at_[producer.first + i] = now;
  } else {
    refused_ += producer.count;
    if (first_error_.empty()) {
      first_error_ = fmt::format("{}: {}", status, producer.reader.excerpt());
    }
  }
  idle_.push_back(index);
}

void EventLoad::accept_delivery() {
  Socket socket = accept_from(listener_);
  if (!socket) return;
  poller_.add(socket.get(), EPOLLIN, kSinkTag | deliveries_.size());
  deliveries_.push_back({.socket = std::move(socket), .reader = MessageReader(true), .answer = {}});
}

void EventLoad::read_delivery(std::size_t index) {
  Delivery& delivery = deliveries_[index];
  const ssize_t n = ::recv(delivery.socket.get(), buffer_.data(), buffer_.size(), 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) {
    delivery.socket.reset();
    return;
  }
  std::string_view bytes(buffer_.data(), static_cast<std::size_t>(n));
  delivery.answer.clear();
  while (!bytes.empty()) {
    bytes.remove_prefix(delivery.reader.feed(bytes));
    if (delivery.reader.state() == MessageReader::State::kBroken) die("a delivery is no HTTP");
    if (delivery.reader.state() != MessageReader::State::kDone) break;
    count_delivery(delivery.reader.header("ce-id"));
    delivery.answer += kNoContent;
    delivery.reader.reset();
  }
  if (!delivery.answer.empty()) {
    ::send(delivery.socket.get(), delivery.answer.data(), delivery.answer.size(), MSG_NOSIGNAL);
  }
}

void EventLoad::count_delivery(std::string_view id) {
  if (!id.starts_with(kIdPrefix)) return;
  id.remove_prefix(kIdPrefix.size());
  std::uint64_t number = options_.events;
  std::from_chars(id.data(), id.data() + id.size(), number);
  if (number >= options_.events) return;
  if (delivered_at_[number] != MonotonicClock::time_point{}) {
    ++repeated_;
    return;
  }
  delivered_at_[number] = last_delivered_ = MonotonicClock::now();
  ++delivered_;
}

void EventLoad::run() {
  start_ = MonotonicClock::now();
  std::vector<epoll_event> events(256);
  while (settled() + refused_ < options_.events) {
    produce();
    const int n =
        ::epoll_wait(poller_.handle().get(), events.data(), static_cast<int>(events.size()), 100);
    for (const epoll_event& event : std::span(events).first(n < 0 ? 0 : n)) {
      const std::uint64_t tag = event.data.u64;
      if (tag == kListenerTag)
        accept_delivery();
      else if ((tag & kSinkTag) != 0)
        read_delivery(tag & ~kSinkTag);
      else
        read_answer(tag);
    }
    if (micros_between(start_, MonotonicClock::now()) > options_.timeout_seconds * 1e6) {
      if (first_error_.empty()) first_error_ = "timed out";
      break;
    }
  }
}

void EventLoad::print() {
  Latencies accepted_to_delivered;
  Latencies sent_to_delivered;
  for (std::uint64_t i = 0; i < options_.events; ++i) {
    if (delivered_at_[i] == MonotonicClock::time_point{}) continue;
    sent_to_delivered.add(micros_between(sent_at_[i], delivered_at_[i]));
    // Delivery may be seen before the answer that accepted it.
    if (accepted_at_[i] != MonotonicClock::time_point{}) {
      accepted_to_delivered.add(std::max(0.0, micros_between(accepted_at_[i], delivered_at_[i])));
    }
  }
  const auto rate = [&](std::uint64_t count, MonotonicClock::time_point end) {
    return count == 0 ? 0.0 : static_cast<double>(count) / (micros_between(start_, end) / 1e6);
  };
  fmt::print(
      R"({{"accepted":{},"delivered":{},"repeated":{},"refused":{},"accepted_rate":{:.1f},)"
      R"("delivered_rate":{:.1f},"seconds":{:.6f},"first_error":"{}",{},{},{}}})"
      "\n",
      accepted_, delivered_, repeated_, refused_, rate(accepted_, last_accepted_),
      rate(delivered_, last_delivered_),
      micros_between(start_, options_.deliver ? last_delivered_ : last_accepted_) / 1e6,
      [&] {
        std::string out = first_error_;
        std::erase_if(out, [](char c) { return c == '"' || c == '\\' || c < ' '; });
        return out;
      }(),
      accept_.json("accept_"), accepted_to_delivered.json("deliver_"),
      sent_to_delivered.json("end_to_end_"));
}

}  // namespace
}  // namespace hearth::bench

int main(int argc, char** argv) {
  hearth::bench::Options options;
  CLI::App app("CloudEvents into a broker and out of it");
  app.add_option("--broker", options.broker)->required();
  app.add_option("--path", options.path)->required();
  app.add_option("--sink", options.sink);
  app.add_option("--events", options.events)->check(CLI::Range(1, 100'000'000));
  app.add_option("--connections", options.connections)->check(CLI::Range(1, 10'000));
  app.add_option("--window", options.window);
  app.add_option("--batch", options.batch)->check(CLI::Range(1, 10'000));
  app.add_option("--data-bytes", options.data_bytes);
  app.add_option("--timeout", options.timeout_seconds);
  CLI11_PARSE(app, argc, argv);
  options.deliver = !options.sink.empty();
  if (options.window < options.batch) hearth::bench::die("--window is smaller than --batch");
  hearth::bench::EventLoad load(options);
  load.run();
  load.print();
}
