#include <future>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "platform/async/loop.h"
#include "platform/async/task_group.h"
#include "platform/base/limits.h"
#include "platform/base/unique_fd.h"
#include "platform/http/body_budget.h"
#include "platform/http/client.h"
#include "platform/http/server.h"

namespace hearth::http {
namespace {

const char* deadline_of(Exchange& exchange) {
  const bool none = exchange.stream().deadline() == std::chrono::steady_clock::time_point::max();
  return none ? "none" : "some";
}

Task<void> echo(Exchange& exchange) {
  if (exchange.request().path() == "/throw") throw std::runtime_error("bug");
  if (exchange.request().path() == "/unread") {
    co_await exchange.respond(200, "text/plain", "unread");
    co_return;
  }
  if (exchange.request().path() == "/pieces") {
    char piece[16];
    while ((co_await exchange.read(piece, sizeof piece)).value_or(0) > 0) {
    }
    co_await exchange.respond(200, "text/plain", deadline_of(exchange));
    co_return;
  }
  auto body = co_await exchange.read_all(1024 * 1024);
  if (exchange.request().path() == "/whole") {
    co_await exchange.respond(200, "text/plain", deadline_of(exchange));
    co_return;
  }
  if (!body) {
    co_await exchange.respond(413, "text/plain", body.error().message);
    co_return;
  }
  if (exchange.request().path() == "/stream") {
    co_await exchange.begin(ResponseHead{});
    for (int i = 0; i < 3; ++i) co_await exchange.write("piece" + std::to_string(i));
    co_await exchange.write(deadline_of(exchange));
    co_await exchange.finish();
    co_return;
  }
  co_await exchange.respond(
      200, "text/plain", exchange.request().method + " " + exchange.request().target + " " + *body);
}

class HttpTest : public testing::Test {
 public:
  HttpTest() {
    loop_.start();
    std::promise<std::uint16_t> port;
    loop_.post([&] { port.set_value(server_.listen({}).value()); });
    port_ = port.get_future().get();
  }
  ~HttpTest() override { loop_.run_blocking(server_.shutdown(std::chrono::milliseconds(100))); }

 protected:
  Result<Response> fetch(std::string method, std::string target, std::string body = {}) {
    Result<Response> out = fail(Code::kInternal, "not run");
    loop_.run_blocking(fetch_into(out, std::move(method), std::move(target), std::move(body)));
    return out;
  }

  Task<void> fetch_into(Result<Response>& out, std::string method, std::string target,
                        std::string body) {
    Url url{.scheme = "http", .host = "127.0.0.1", .port = port_, .target = std::move(target)};
    out = co_await client_.request(std::move(method), url, {}, std::move(body), {});
  }

  async::Loop loop_{"test"};
  Server server_{loop_, "test", echo};
  Client client_{loop_};
  std::uint16_t port_ = 0;
};

TEST_F(HttpTest, EchoesOverOneKeptConnection) {
  for (int i = 0; i < 3; ++i) {
    const auto response = fetch("POST", "/a?b", "hello");
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "POST /a?b hello");
  }
  EXPECT_EQ(server_.connections(), 1U);
}

TEST_F(HttpTest, StreamsChunked) {
  const auto response = fetch("GET", "/stream");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "piece0piece1piece2none");
}

TEST_F(HttpTest, WhoseBodyWasReadMayWaitForItsAnswerAsLongAsThatTakes) {
  EXPECT_EQ(fetch("POST", "/whole", "hello")->body, "none");
  EXPECT_EQ(fetch("POST", "/pieces", std::string(100, 'x'))->body, "none");
}

TEST_F(HttpTest, AnswersHeadWithoutBody) {
  const auto response = fetch("HEAD", "/x");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->body, "");
  EXPECT_EQ(response->head.headers.get("content-length"), "8");
}

TEST_F(HttpTest, AnswersAHandlerThatThrowsAndGoesOn) {
  EXPECT_EQ(fetch("GET", "/throw")->head.status, 500);
  EXPECT_EQ(fetch("GET", "/fine")->head.status, 200);
}

TEST_F(HttpTest, CarriesALargeBodyAndRefusesATooLargeOne) {
  const std::string large(900'000, 'x');
  EXPECT_EQ(fetch("POST", "/", large)->body.size(), large.size() + 7);
  EXPECT_EQ(fetch("POST", "/", std::string(2'000'000, 'x'))->head.status, 413);
}

// What a client sees first that sends all of this.
std::string first_bytes(std::uint16_t port, const std::string& request, std::size_t size = 12) {
  const base::UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return {};
  const auto sent = ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request.size())) return {};
  std::string out(size, '\0');
  const auto got = ::recv(fd.get(), out.data(), out.size(), MSG_WAITALL);
  out.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return out;
}

std::string put_that_expects(const std::string& target, int length) {
  return "PUT " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(length) +
         "\r\nExpect: 100-continue\r\n\r\n";
}

TEST_F(HttpTest, WhoExpectsIsToldToContinueAlsoWithNothingToSend) {
  for (const int length : {0, 5}) {
    EXPECT_EQ(first_bytes(port_, put_that_expects("/", length)), "HTTP/1.1 100");
  }
}

TEST_F(HttpTest, WhoExpectsIsAnsweredAtOnceWhereTheBodyIsNotWanted) {
  EXPECT_EQ(first_bytes(port_, put_that_expects("/unread", 5)), "HTTP/1.1 200");
  EXPECT_EQ(first_bytes(port_, put_that_expects("/unread", 0)), "HTTP/1.1 100");
}

TEST_F(HttpTest, WhoStillSendsWhatIsNotWantedGetsTheAnswerAllTheSame) {
  const std::string head = "POST /unread HTTP/1.1\r\nHost: a\r\n";
  const std::string body(8'000'000, 'x');
  EXPECT_EQ(first_bytes(port_, head + "Content-Length: 8000000\r\n\r\n" + body), "HTTP/1.1 200");
  const std::string coded = "7a1200\r\n" + body + "\r\n0\r\n\r\n";
  EXPECT_EQ(first_bytes(port_, head + "Transfer-Encoding: chunked\r\n\r\n" + coded),
            "HTTP/1.1 200");
  const std::string endless = "GET / HTTP/1.1\r\nHost: a\r\nX: " + body;
  EXPECT_EQ(first_bytes(port_, endless), "HTTP/1.1 431");
}

TEST_F(HttpTest, WhoSentAnUnreadBodyInChunksIsToldThatTheConnectionEnds) {
  const std::string answer = first_bytes(
      port_, "POST /unread HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 4096);
  EXPECT_TRUE(answer.contains("\r\nConnection: close\r\n")) << answer;
}

// Takes rooms in a row, notes in which order they came, and gives each back at once.
struct Taker {
  Task<void> take(std::size_t bytes, int number) {
    auto room = co_await budget.take(bytes);
    order.push_back(room ? number : -number);
    if (room && number == 1) first = std::move(*room);
  }

  async::Loop loop{"test"};
  BodyBudget budget{loop, 100, std::chrono::milliseconds(50)};
  BodyBudget::Room first;
  std::vector<int> order;
};

TEST(BodyBudget, LetsThoseWaitForWhomThereIsNoRoomInTheirOrder) {
  Taker taker;
  taker.loop.start();
  async::TaskGroup tasks(taker.loop);
  std::promise<void> spawned;
  taker.loop.post([&] {
    tasks.spawn(taker.take(60, 1));
    tasks.spawn(taker.take(60, 2));
    tasks.spawn(taker.take(10, 3));
    tasks.spawn([](Taker& all) -> Task<void> {
      all.first = {};
      co_return;
    }(taker));
    spawned.set_value();
  });
  spawned.get_future().get();
  taker.loop.run_blocking(tasks.drain());
  EXPECT_EQ(taker.order, (std::vector<int>{1, 2, 3}));
}

TEST(BodyBudget, RefusesWhoWaitsTooLongAndGoesOnWithTheNext) {
  Taker taker;
  taker.loop.start();
  taker.loop.run_blocking(taker.take(60, 1));
  taker.loop.run_blocking(taker.take(60, 2));
  taker.loop.run_blocking(taker.take(40, 3));
  taker.first = {};
  taker.loop.run_blocking(taker.take(1'000, 4));
  EXPECT_EQ(taker.order, (std::vector<int>{1, -2, 3, 4}));
}

TEST(Url, ParsesAndRefuses) {
  const auto url = parse_url("http://Hello.localhost:8080/a?b#c");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "hello.localhost");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->target, "/a?b");
  EXPECT_FALSE(parse_url("ftp://x"));
  EXPECT_FALSE(parse_url("http://"));
  EXPECT_FALSE(parse_url("http://u:p@h/"));
}

}  // namespace
}  // namespace hearth::http
