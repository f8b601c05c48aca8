// hearth_bench_amqp: the same work as hearth_bench_events, done by RabbitMQ over raw AMQP 0-9-1:
// persistent messages into a durable queue with publisher confirms, out of it with
// acknowledgements. Two connections, two threads: producer and consumer.
//
//   hearth_bench_amqp --port 5673 --queue-type classic|quorum --messages 200000 --window 512
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <fmt/format.h>

#include "tests/bench/load/latencies.h"
#include "tests/bench/load/sockets.h"

namespace hearth::bench {
namespace {

constexpr amqp_channel_t kChannel = 1;
constexpr int kAcknowledgeEvery = 32;

struct Options {
  int port = 5672;
  std::string queue_type = "classic";
  std::uint64_t messages = 100'000;
  std::uint64_t window = 512;
  std::size_t data_bytes = 256;
  double timeout_seconds = 60;
};

// How far producer and consumer are; the window is closed over both.
class Progress {
 public:
  explicit Progress(std::uint64_t window) : window_(window) {}

  std::atomic<std::uint64_t> confirmed{0};
  std::atomic<std::uint64_t> delivered{0};
  std::uint64_t window_free(std::uint64_t sent) const {
    const std::uint64_t settled = std::min(confirmed.load(), delivered.load());
    return settled + window_ > sent ? settled + window_ - sent : 0;
  }
  void add_delivered() {
    delivered.fetch_add(1);
    if (waiting_.load()) changed_.notify_one();
  }
  // Until something was delivered, a millisecond at most: confirms have to be read too.
  void wait() {
    std::unique_lock lock(mutex_);
    waiting_ = true;
    changed_.wait_for(lock, std::chrono::milliseconds(1));
    waiting_ = false;
  }

 private:
  std::uint64_t window_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> waiting_{false};
};

void check(const amqp_rpc_reply_t& reply, const std::string& what) {
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) die(fmt::format("RabbitMQ refused: {}", what));
}

class Connection {
 public:
  explicit Connection(int port) : state_(amqp_new_connection()) {
    amqp_socket_t* socket = amqp_tcp_socket_new(state_.get());
    if (socket == nullptr || amqp_socket_open(socket, "127.0.0.1", port) != 0) {
      die(fmt::format("connecting to RabbitMQ at port {}", port));
    }
    check(amqp_login(state_.get(), "/", 0, 131'072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
          "login");
    amqp_channel_open(state_.get(), kChannel);
    check(amqp_get_rpc_reply(state_.get()), "channel");
  }
  amqp_connection_state_t get() const { return state_.get(); }

 private:
  struct Destroy {
    void operator()(amqp_connection_state_t state) const { amqp_destroy_connection(state); }
  };
  std::unique_ptr<std::remove_pointer_t<amqp_connection_state_t>, Destroy> state_;
};

std::string declare_queue(const Connection& connection, const std::string& type) {
  const std::string name = "bench-" + type;
  amqp_table_entry_t entry;
  entry.key = amqp_cstring_bytes("x-queue-type");
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes = amqp_cstring_bytes(type.c_str());
  const amqp_table_t arguments{1, &entry};
  amqp_queue_declare(connection.get(), kChannel, amqp_cstring_bytes(name.c_str()), 0, 1, 0, 0,
                     arguments);
  check(amqp_get_rpc_reply(connection.get()), "declaring " + name);
  amqp_queue_purge(connection.get(), kChannel, amqp_cstring_bytes(name.c_str()));
  check(amqp_get_rpc_reply(connection.get()), "purging " + name);
  return name;
}

class AmqpLoad {
 public:
  explicit AmqpLoad(Options options)
      : options_(std::move(options)),
        progress_(options_.window),
        sent_at_(options_.messages),
        confirmed_at_(options_.messages),
        delivered_at_(options_.messages) {}

  void run();
  void print();

 private:
  void produce(const Connection& connection, const std::string& queue);
  void publish(const Connection& connection, const std::string& queue, std::uint64_t number);
  bool read_confirm(const Connection& connection, std::chrono::microseconds wait);
  void consume(const Connection& connection, const std::string& queue);
  bool expired() const {
    return micros_between(start_, MonotonicClock::now()) > options_.timeout_seconds * 1e6;
  }

  Options options_;
  Progress progress_;
  std::vector<MonotonicClock::time_point> sent_at_;
  std::vector<MonotonicClock::time_point> confirmed_at_;
  std::vector<MonotonicClock::time_point> delivered_at_;
  std::string body_;
  std::uint64_t sent_ = 0;
  MonotonicClock::time_point start_{};
  MonotonicClock::time_point end_{};
};

void AmqpLoad::publish(const Connection& connection, const std::string& queue,
                       std::uint64_t number) {
  std::memcpy(body_.data(), &number, sizeof number);
  amqp_basic_properties_t properties{};
  properties._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.delivery_mode = 2;
  sent_at_[number] = MonotonicClock::now();
  const int status = amqp_basic_publish(connection.get(), kChannel, amqp_empty_bytes,
                                        amqp_cstring_bytes(queue.c_str()), 0, 0, &properties,
                                        amqp_bytes_t{.len = body_.size(), .bytes = body_.data()});
  if (status != AMQP_STATUS_OK) die("publishing: " + std::string(amqp_error_string2(status)));
}

// One basic.ack of the broker; false when none came in time.
bool AmqpLoad::read_confirm(const Connection& connection, std::chrono::microseconds wait) {
  amqp_frame_t frame;
  timeval timeout{.tv_sec = 0, .tv_usec = wait.count()};
  amqp_maybe_release_buffers(connection.get());
  const int status = amqp_simple_wait_frame_noblock(connection.get(), &frame, &timeout);
  if (status == AMQP_STATUS_TIMEOUT) return false;
  if (status != AMQP_STATUS_OK) die("waiting for a confirm");
  if (frame.frame_type != AMQP_FRAME_METHOD) return true;
  if (frame.payload.method.id == AMQP_BASIC_NACK_METHOD) die("RabbitMQ refused a message");
  if (frame.payload.method.id != AMQP_BASIC_ACK_METHOD) return true;
  const auto* ack = static_cast<const amqp_basic_ack_t*>(frame.payload.method.decoded);
  const auto now = MonotonicClock::now();
  // Acks of single messages may come out of order: they are counted, not lined up.
  if (ack->multiple == 0) {
    confirmed_at_[ack->delivery_tag - 1] = now;
    progress_.confirmed.fetch_add(1);
    return true;
  }
  std::uint64_t fresh = 0;
  for (std::uint64_t i = ack->delivery_tag; i > 0; --i) {
    if (confirmed_at_[i - 1] != MonotonicClock::time_point{}) {
      // Those before may have holes only within the window.
      if (ack->delivery_tag - i > options_.window) break;
      continue;
    }
    confirmed_at_[i - 1] = now;
    ++fresh;
  }
  progress_.confirmed.fetch_add(fresh);
  return true;
}

void AmqpLoad::produce(const Connection& connection, const std::string& queue) {
  while (progress_.confirmed.load() < options_.messages && !expired()) {
    std::uint64_t free = std::min(progress_.window_free(sent_), options_.messages - sent_);
    // A few at a time, so that confirms are read in between.
    for (free = std::min<std::uint64_t>(free, 64); free > 0; --free) {
      publish(connection, queue, sent_);
      ++sent_;
    }
    while (read_confirm(connection, std::chrono::microseconds(0))) {
    }
    if (progress_.window_free(sent_) > 0 && sent_ < options_.messages) continue;
    if (sent_ > progress_.confirmed.load())
      (void)read_confirm(connection, std::chrono::milliseconds(1));
    else if (sent_ < options_.messages)
      progress_.wait();
  }
}

void AmqpLoad::consume(const Connection& connection, const std::string& queue) {
  const auto prefetch = static_cast<std::uint16_t>(std::min<std::uint64_t>(options_.window, 2'000));
  amqp_basic_qos(connection.get(), kChannel, 0, prefetch, 0);
  amqp_basic_consume(connection.get(), kChannel, amqp_cstring_bytes(queue.c_str()),
                     amqp_empty_bytes, 0, 0, 0, amqp_empty_table);
  check(amqp_get_rpc_reply(connection.get()), "consuming");
  int since_ack = 0;
  std::uint64_t last_tag = 0;
  while (progress_.delivered.load() < options_.messages && !expired()) {
    amqp_maybe_release_buffers(connection.get());
    amqp_envelope_t envelope;
    timeval timeout{.tv_sec = 0, .tv_usec = since_ack > 0 ? 500 : 100'000};
    const amqp_rpc_reply_t reply = amqp_consume_message(connection.get(), &envelope, &timeout, 0);
    const bool got = reply.reply_type == AMQP_RESPONSE_NORMAL;
    if (got) {
      std::uint64_t number = 0;
      std::memcpy(&number, envelope.message.body.bytes, sizeof number);
      delivered_at_.at(number) = end_ = MonotonicClock::now();
      last_tag = envelope.delivery_tag;
      ++since_ack;
      amqp_destroy_envelope(&envelope);
    } else if (reply.library_error != AMQP_STATUS_TIMEOUT) {
      die("consuming");
    }
    if (since_ack >= kAcknowledgeEvery || (!got && since_ack > 0)) {
      amqp_basic_ack(connection.get(), kChannel, last_tag, 1);
      since_ack = 0;
    }
    if (got) progress_.add_delivered();
  }
  if (since_ack > 0) amqp_basic_ack(connection.get(), kChannel, last_tag, 1);
}

void AmqpLoad::run() {
  body_.assign(std::max(options_.data_bytes, sizeof(std::uint64_t)), 'x');
  const Connection producer(options_.port);
  const Connection consumer(options_.port);
  const std::string queue = declare_queue(producer, options_.queue_type);
  amqp_confirm_select(producer.get(), kChannel);
  check(amqp_get_rpc_reply(producer.get()), "confirms");
  start_ = MonotonicClock::now();
  const std::jthread consuming([&] { consume(consumer, queue); });
  produce(producer, queue);
}

void AmqpLoad::print() {
  Latencies confirm;
  Latencies deliver;
  Latencies end_to_end;
  for (std::uint64_t i = 0; i < options_.messages; ++i) {
    if (confirmed_at_[i] == MonotonicClock::time_point{} ||
        delivered_at_[i] == MonotonicClock::time_point{}) {
      continue;
    }
    confirm.add(micros_between(sent_at_[i], confirmed_at_[i]));
    deliver.add(std::max(0.0, micros_between(confirmed_at_[i], delivered_at_[i])));
    end_to_end.add(micros_between(sent_at_[i], delivered_at_[i]));
  }
  const double seconds = micros_between(start_, end_) / 1e6;
  fmt::print(R"({{"accepted":{},"delivered":{},"delivered_rate":{:.1f},"seconds":{:.6f},{},{},{}}})"
             "\n",
             progress_.confirmed.load(), progress_.delivered.load(),
             static_cast<double>(progress_.delivered.load()) / seconds, seconds,
             confirm.json("accept_"), deliver.json("deliver_"), end_to_end.json("end_to_end_"));
}

}  // namespace
}  // namespace hearth::bench

int main(int argc, char** argv) {
  hearth::bench::Options options;
  CLI::App app("messages through RabbitMQ");
  app.add_option("--port", options.port);
  app.add_option("--queue-type", options.queue_type);
  app.add_option("--messages", options.messages)->check(CLI::Range(1, 100'000'000));
  app.add_option("--window", options.window);
  app.add_option("--data-bytes", options.data_bytes);
  app.add_option("--timeout", options.timeout_seconds);
  CLI11_PARSE(app, argc, argv);
  hearth::bench::AmqpLoad load(options);
  load.run();
  load.print();
}
